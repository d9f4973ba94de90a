//! STS answered with an error.

use crate::aws::sts::Refusal;

use super::Entry;
use super::identity::{ROLE_ARN, annotate_role, delete_pod};
use crate::diagnosis::aws_cli::{commands, iam, organization_policies, sts_endpoint_policies};
use crate::evidence::Evidence;
use crate::text::{format_utc, sanitize, shell_quote};
use crate::token::Claims;
use crate::wire::Commands;
use iam_trust::arn::RoleArn;
use iam_trust::partition::{is_enabled_by_default, region_of_issuer};
use iam_trust::{Needed, USUAL_AUDIENCE, needed};

/// The parameters of a call of AssumeRoleWithWebIdentity.
#[derive(Debug, Clone)]
pub struct RoleRequest {
    /// The role.
    pub role: RoleArn,
    pub claims: Claims,
    /// The name of the session, which CloudTrail shows.
    pub session_name: String,
    /// The region whose STS was called, if known.
    pub region: Option<String>,
    /// The variable, or the file and line, that set another endpoint than the region's own.
    pub endpoint_source: Option<String>,
}

/// A call that STS refused.
#[derive(Debug, Clone)]
pub struct RequestRefused {
    /// The parameters of the call.
    pub(crate) request: Box<RoleRequest>,
    /// The answer of STS.
    pub(crate) refusal: Refusal,
}

impl RequestRefused {
    pub(super) fn evidence(&self) -> Evidence {
        self.refusal
            .evidence()
            .text("session_name", &self.request.session_name)
            .text("role_arn", &self.request.role.text)
            .text("issuer", &self.request.claims.issuer)
            .text("subject", &self.request.claims.subject)
            .texts("audience", &self.request.claims.audience)
    }

    /// The URL of the issuer's discovery document, quoted for a shell.
    fn discovery(&self) -> String {
        let issuer = self.request.claims.issuer.trim_end_matches('/');
        shell_quote(&format!("{issuer}/.well-known/openid-configuration"))
    }

    /// The commands that show and create what AWS must have for the token to be accepted.
    pub(super) fn commands(&self) -> Commands {
        commands(&self.request.claims.request(&self.request.role))
    }

    /// What AWS must have for the token to be accepted.
    fn needed(&self) -> Needed {
        needed(&self.request.claims.request(&self.request.role))
    }

    /// Whether the issuer is that of an EKS cluster, which AWS runs.
    fn is_of_eks(&self) -> bool {
        region_of_issuer(&self.request.claims.issuer).is_some()
    }

    fn audience_words(&self) -> String {
        audience_list(&self.request.claims.audience)
    }
}

/// Audiences in a sentence.
pub(super) fn audience_list(audience: &[String]) -> String {
    audience.iter().take(4).map(|aud| format!("\"{}\"", sanitize(aud))).collect::<Vec<_>>().join(", ")
}

/// The step that gives the pod's report to somebody who can read IAM.
pub(super) fn audit_step(role: &RoleArn, what: &str) -> String {
    format!(
        "Where irsa-probe and AWS credentials for account {} that may read IAM are at hand, let it {what}:\n\
         kubectl -n NAMESPACE logs POD -c PROBE_CONTAINER | irsa-probe audit",
        role.account
    )
}

/// The id of the key that signed the token. An empty id differs from an absent one.
fn key_id(claims: &Claims, absent: &str) -> String {
    match claims.key_id.as_deref() {
        None => absent.to_owned(),
        Some("") => "\"\"".to_owned(),
        Some(id) => sanitize(id),
    }
}

const CHECK_AWS_HEALTH: &str = "See whether AWS reports a fault: https://health.aws.amazon.com/health/status";

wordings! { RequestRefused:
    /// STS could not fetch the issuer's keys.
    VerificationKeyUnavailable;
    |refused| {
        let reason = if refused.is_of_eks() {
            "AWS runs the issuer of an EKS cluster, so this is most likely a fault at AWS that passes."
        } else {
            "Either the issuer's discovery document or key set is not public or not complete, or the set does not hold a key \
             with exactly this id. A key without an id (\"kid\") does not fit an empty one."
        };
        format!(
            "{}. STS could not get the key that verifies the token (key id {}) from {}. {reason}",
            refused.refusal.sentence(),
            key_id(&refused.request.claims, "not given"),
            sanitize(&refused.request.claims.issuer)
        )
    };
    |refused| {
        let look = format!("Check whether the issuer answers, from anywhere on the internet:\ncurl -sS {}", refused.discovery());
        if refused.is_of_eks() {
            return steps![look, "Wait, and run the check again: AWS runs the issuer.", CHECK_AWS_HEALTH];
        }
        steps![
            format!(
                "Compare the discovery document and the key set that it names (jwks_uri) with the keys of the API server. The \
                 set must hold a key with the id {}:\ncurl -sS {}\nkubectl get --raw /openid/v1/jwks",
                key_id(&refused.request.claims, "that the token names"),
                refused.discovery()
            ),
            "Publish what the second command shows at the jwks_uri, readable by everyone, with the \"kid\" of each key, also \
             where the id is empty.",
            audit_step(&refused.request.role, "verify the token with the published keys (add --issuer-check --token FILE)")
        ]
    };

    /// The provider's thumbprints do not match the issuer's certificate.
    ThumbprintMismatch;
    |refused| format!(
        "{}. The OIDC provider in account {} lists thumbprints, and none fits the certificate of {}.",
        refused.refusal.sentence(), refused.request.role.account, sanitize(&refused.request.claims.issuer)
    );
    |refused| {
        let (needed, commands) = (refused.needed(), refused.commands());
        vec![
            format!("Look at the provider's thumbprints:\n{}", commands.show_oidc_provider),
            format!(
                "Put in that of the top certificate that the issuer's server presents. This replaces the whole list, so \
                 name every thumbprint that is to stay:\n\
                 {} --open-id-connect-provider-arn {} --thumbprint-list THUMBPRINT",
                iam(&refused.request.role, "update-open-id-connect-provider-thumbprint"),
                shell_quote(&needed.oidc_provider.arn)
            ),
        ]
    };

    /// STS rejects the token and does not say why.
    IdentityTokenRejected;
    |refused| {
        let claims = &refused.request.claims;
        format!(
            "{}. STS gives this answer for several causes and does not say which. In order: (1) account {} has no \
             OIDC provider for the token's issuer {}; (2) the provider does not list the token's audience {}; \
             (3) the provider is stale, or the issuer does not publish the key {} that signed the token. The token \
             expires at {}.",
            refused.refusal.sentence(), refused.request.role.account, sanitize(&claims.issuer),
            refused.audience_words(),
            key_id(claims, "(no key id)"),
            format_utc(claims.expires_at)
        )
    };
    |refused| {
        let (needed, commands) = (refused.needed(), refused.commands());
        vec![
            audit_step(
                &refused.request.role,
                "say which of these it is, and print the right command (--issuer-check --token FILE tries the key, too)"
            ),
            format!(
                "In account {}, check whether the provider exists and lists the audience {}:\n{}",
                refused.request.role.account, sanitize(&needed.oidc_provider.client_id),
                commands.show_oidc_provider
            ),
            format!(
                "If it does not exist, create it by the first command. If it lacks the audience, add that by the second:\n\
                 {}\n{}",
                commands.create_oidc_provider, commands.add_client_id_to_oidc_provider
            ),
        ]
    };

    /// STS refuses the role and does not say why.
    AssumeRoleNotAuthorized;
    |refused| {
        let claims = &refused.request.claims;
        let usual = claims.audience.iter().any(|aud| aud == USUAL_AUDIENCE);
        let audience = refused.audience_words();
        let audience = if usual { audience } else { format!("{audience}, which is unusual") };
        format!(
            "{} and says no more. Likeliest first: (1) a condition of the role's trust policy does not fit sub \
             \"{}\" or aud {audience}; (2) its Principal is not the OIDC provider of {}; (3) the role does not exist: \
             deleted, another account, or its path left out; (4) its Action is not sts:AssumeRoleWithWebIdentity, or \
             another condition refuses, on the session name {} for instance; (5) an explicit Deny, there or in a \
             resource control policy.",
            refused.refusal.sentence(), sanitize(&claims.subject), sanitize(&claims.issuer),
            sanitize(&refused.request.session_name)
        )
    };
    |refused| {
        let (needed, commands) = (refused.needed(), refused.commands());
        steps![
            audit_step(&refused.request.role, "say which condition refused, and print the corrected policy"),
            format!(
                "In account {}, look at the role (NoSuchEntity: it does not exist; another ARN: the path is \
                 missing) and its trust policy. If it was changed within the last minutes, wait first \
                 (--wait-for-access does):\n{}",
                refused.request.role.account, commands.show_trust_policy
            ),
            format!(
                "It needs this statement, among any others; put it into the document that the command above showed:\n{}",
                needed.trust_policy.statement_text()
            )
        ]
    };

    /// A VPC endpoint's policy forbids the call.
    VpcEndpointPolicyDenied;
    |refused| format!(
        "{}. The policy of the VPC endpoint for STS does not let this call through. The caller of \
         AssumeRoleWithWebIdentity is not yet an AWS principal, so a policy that demands one forbids it.",
        refused.refusal.sentence()
    );
    |refused| vec![
        format!("Look at the endpoint's policy:\n{}", sts_endpoint_policies(refused.request.region.as_deref())),
        format!(
            "Allow sts:AssumeRoleWithWebIdentity for Principal \"*\" on {} in it.",
            sanitize(&refused.request.role.text)
        ),
    ];

    /// A policy of the organization forbids the call.
    OrganizationPolicyDenied;
    |refused| format!(
        "{}. A policy of the AWS organisation forbids the call. Callers with a web identity carry no \
         aws:PrincipalOrgID, so a data perimeter that demands it forbids them all.",
        refused.refusal.sentence()
    );
    |refused| vec![format!(
        "Ask those who manage the organisation for an exception for sts:AssumeRoleWithWebIdentity from this \
         cluster's OIDC provider. They find the policies of the account by:\n{}\n{}",
        organization_policies(&refused.request.role, "RESOURCE_CONTROL_POLICY"),
        organization_policies(&refused.request.role, "SERVICE_CONTROL_POLICY")
    )];

    /// The account has not activated STS in this region.
    RegionNotActivated;
    |refused| format!(
        "{}. Account {} has not activated STS in the region {}.",
        refused.refusal.sentence(), refused.request.role.account,
        refused.request.region.as_ref().map_or_else(|| "that was called".to_owned(), |region| sanitize(region))
    );
    |refused| {
        let (account, region) = (&refused.request.role.account, refused.request.region.as_deref());
        let own = region_of_issuer(&refused.request.claims.issuer).filter(|own| Some(*own) != region);
        let other = match (own, &refused.request.endpoint_source) {
            (Some(own), Some(source)) => format!(
                "Remove {source}, which names the STS that was called, if {} is not meant. Set AWS_REGION and \
                 AWS_DEFAULT_REGION to {}, the cluster's region, and recreate the pod.",
                region.map_or_else(|| "its region".to_owned(), sanitize), sanitize(own)
            ),
            (None, Some(source)) => format!(
                "Or set the STS endpoint of another region in {source}, which decides on the STS that is called, and \
                 recreate the pod."
            ),
            (Some(own), None) => format!(
                "Set AWS_REGION and AWS_DEFAULT_REGION to {}, the cluster's region, if {} is not meant, and recreate the \
                 pod.",
                sanitize(own), region.map_or_else(|| "the other one".to_owned(), sanitize)
            ),
            (None, None) => "Or let the pod use another region's STS, by AWS_REGION and AWS_DEFAULT_REGION.".to_owned(),
        };
        let activate = match region {
            Some(region) if is_enabled_by_default(region) => format!(
                "In account {account}, activate the STS endpoint of {} in the IAM console, under account settings.",
                sanitize(region)
            ),
            region => format!(
                "In account {account}, enable the region, if it is meant:\naws account enable-region --region-name {}",
                region.map_or_else(|| "REGION".to_owned(), shell_quote)
            ),
        };
        if own.is_some() { vec![other, activate] } else { vec![activate, other] }
    };

    /// STS rejects the ARN, although its form is right.
    RoleArnRejected;
    |refused| format!(
        "{}. STS does not accept {} as the ARN of a role.", refused.refusal.sentence(),
        sanitize(&refused.request.role.text)
    );
    |refused| vec![
        format!(
            "In account {}, look up the role's real ARN:\n{} --role-name {} --query Role.Arn --output text",
            refused.request.role.account, iam(&refused.request.role, "get-role"), shell_quote(&refused.request.role.name)
        ),
        format!("Annotate the service account with it:\n{}", annotate_role(None, ROLE_ARN)),
        delete_pod(None, None),
    ];

    /// STS rejects the session's name, duration or policy.
    SessionParametersRejected;
    |refused| format!(
        "{}. The session was asked for with the name {}, 900 seconds, and a policy that denies everything.",
        refused.refusal.sentence(), sanitize(&refused.request.session_name)
    );
    |refused| match &refused.request.endpoint_source {
        Some(source) => vec![format!(
            "Check what answers at the endpoint that {source} sets: an emulator can be stricter than AWS."
        )],
        None => steps!["Report this answer as a fault of irsa-probe: the name is made legal before it is sent."],
    };

    /// STS throttles the account.
    Throttled;
    |refused| format!(
        "{}. The account makes more calls to STS than it may in this region; the pod's own SDKs are throttled just \
         as well.",
        refused.refusal.sentence()
    );
    |_| steps!["Give it more time with --wait, or let a scale-up go on with --tolerate unreachable.","Find who calls STS so often (CloudTrail, by sourceIPAddress and userAgent), and ask AWS for a higher limit."];

    /// STS could not reach the issuer.
    IdpUnreachable;
    |refused| format!(
        "{}. STS could not reach the issuer {}; it is often back at the next try.",
        refused.refusal.sentence(), sanitize(&refused.request.claims.issuer)
    );
    |refused| {
        let look = format!("Check whether the issuer answers:\ncurl -sS {}", refused.discovery());
        if refused.is_of_eks() {
            return steps![look, CHECK_AWS_HEALTH];
        }
        steps![
            look,
            "If it does not, repair the server at the issuer's URL, and open it to the internet: the addresses of STS are not \
             fixed."
        ]
    };

    /// STS itself failed.
    StsFault;
    |refused| format!(
        "{}: the fault is on AWS's side, or something in between answers in its name.",
        refused.refusal.sentence_with_status()
    );
    |_| steps![CHECK_AWS_HEALTH,"Let a scale-up go on meanwhile with --tolerate unreachable."];

    /// STS issued credentials and then rejected them.
    CredentialsRejected;
    |refused| format!(
        "STS gave credentials for {}, and then refused them: {}. That happens when the credentials come from \
         another partition's STS or another service than the one that is asked, when the role was deleted at that \
         moment, or in an opt-in region that the account has not enabled.",
        sanitize(&refused.request.role.text), refused.refusal.sentence()
    );
    |refused| {
        let endpoint = refused.request.endpoint_source.as_ref();
        let endpoint = endpoint.map(|source| format!("Remove {source}, or let it name one STS for both calls."));
        let look = format!(
            "Check whether the role still exists, and whether the region is enabled:\n{}\n\
             aws account get-region-opt-status --region-name {}",
            refused.commands().show_trust_policy,
            refused.request.region.as_deref().map_or_else(|| "REGION".to_owned(), shell_quote)
        );
        endpoint.into_iter().chain([look]).collect()
    };

    /// The catalogue does not know this error.
    Unclassified;
    |refused| format!(
        "{}, request id {}. irsa-probe does not know this answer and does not guess.",
        refused.refusal.sentence_with_status(),
        refused.refusal.request_id.as_ref().map_or_else(|| "not given".to_owned(), |id| sanitize(id))
    );
    |_| steps!["Look the words up in AWS's documentation of AssumeRoleWithWebIdentity, or ask AWS support with the request id.","Please report this answer, so that irsa-probe can name it."];
}

/// The credentials belong to another identity.
#[derive(Debug, Clone)]
pub struct IdentityMismatch {
    pub(crate) role_arn: String,
    /// The identity that STS names.
    pub(crate) caller_arn: String,
    pub(crate) differs: &'static str,
    /// The variable, or the file and line, that set another endpoint than the region's own.
    pub(crate) endpoint_source: Option<String>,
}

impl Entry for IdentityMismatch {
    fn cause(&self) -> String {
        format!(
            "STS gave credentials for {}, but says that they belong to {}: the {} differs. The endpoint is not \
             AWS's STS, or something in between answers for it.",
            sanitize(&self.role_arn),
            sanitize(&self.caller_arn),
            self.differs
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![match &self.endpoint_source {
            Some(source) => {
                format!("Check what answers at the endpoint that {source} sets: an emulator does this.")
            }
            None => "Find out what is between the pod and STS before you trust these credentials.".to_owned(),
        }]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("role_arn", &self.role_arn).text("caller_arn", &self.caller_arn)
    }
}
