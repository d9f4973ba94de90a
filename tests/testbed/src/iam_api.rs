//! What an account's IAM tells those who may read it, in the XML of the IAM API reference.
//!
//! It is told what to answer: it evaluates no policy.

use std::fmt::Write as _;

use crate::form;
use crate::iam::Refusal;
use crate::sts::Recorded;
use crate::xml::{error_in, escape};

/// The version in the form of every request to IAM.
pub const VERSION: &str = "2010-05-08";
pub(crate) const XMLNS: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
const CREATED: &str = "2026-03-01T08:30:00Z";

/// What IAM has of an account.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Its number.
    pub id: String,
    /// Its roles.
    pub roles: Vec<Role>,
    /// Its OIDC providers.
    pub providers: Vec<Provider>,
    /// What the simulator says.
    pub simulations: Vec<Simulation>,
    /// The calls that the caller may not make.
    pub denied: Vec<String>,
    /// How many entries of a list are told at once; all if it is 0.
    pub page: usize,
}

/// A role.
#[derive(Clone, Debug, Default)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its path; `/` if it is empty.
    pub path: String,
    /// Its trust policy, in JSON.
    pub trust_policy: String,
    /// The ARN of its permissions boundary.
    pub boundary: Option<String>,
    /// When it was last used, as `2026-11-20T17:14:00Z`.
    pub last_used: Option<String>,
    /// The names of its managed policies.
    pub attached: Vec<String>,
    /// The names of its inline policies.
    pub inline: Vec<String>,
}

/// An OIDC provider.
#[derive(Clone, Debug, Default)]
pub struct Provider {
    /// The issuer, without `https://`.
    pub url: String,
    /// Its client ids.
    pub client_ids: Vec<String>,
}

/// What the simulator says of an action on a resource.
#[derive(Clone, Debug, Default)]
pub struct Simulation {
    /// The action.
    pub action: String,
    /// The resource.
    pub resource: String,
    /// `allowed`, `implicitDeny` or `explicitDeny`.
    pub decision: String,
    /// The policies that decided, and their types.
    pub matched: Vec<(String, String)>,
    /// The context keys that were not given.
    pub missing: Vec<String>,
    /// Whether the boundary allows it.
    pub boundary: Option<bool>,
    /// Whether the organization allows it.
    pub organization: Option<bool>,
}

impl Account {
    /// The answer to a request, which is the caller's with this ARN.
    ///
    /// # Errors
    /// If IAM would refuse.
    pub fn answer(&self, request: &Recorded, caller: &str, request_id: &str) -> Result<String, Refusal> {
        let action = request.action.as_str();
        if self.denied.iter().any(|denied| denied == action) {
            return Err(Refusal::new(
                403,
                "AccessDenied",
                format!(
                    "User: {caller} is not authorized to perform: iam:{action} on resource: * because no \
                     identity-based policy allows the iam:{action} action"
                ),
            ));
        }
        let field = |name: &str| request.field(name).unwrap_or_default();
        let result = match action {
            "GetRole" => self.get_role(self.role(field("RoleName"))?),
            "GetOpenIDConnectProvider" => self.get_provider(field("OpenIDConnectProviderArn"))?,
            "ListOpenIDConnectProviders" => {
                let arns =
                    self.providers.iter().map(|provider| format!("<Arn>{}</Arn>", self.arn_of(provider)));
                list("OpenIDConnectProviderList", arns)
            }
            "ListAttachedRolePolicies" => {
                let role = self.role(field("RoleName"))?;
                self.paged(request, "AttachedPolicies", &role.attached, |name| {
                    let name = escape(name);
                    format!(
                        "<PolicyName>{name}</PolicyName><PolicyArn>arn:aws:iam::aws:policy/{name}</PolicyArn>"
                    )
                })
            }
            "ListRolePolicies" => {
                let role = self.role(field("RoleName"))?;
                self.paged(request, "PolicyNames", &role.inline, |name| escape(name))
            }
            "SimulatePrincipalPolicy" => self.simulate(request)?,
            other => {
                let message = format!("Could not find operation {other} for version {VERSION}");
                return Err(Refusal::new(400, "InvalidAction", message));
            }
        };
        Ok(format!(
            "<{action}Response xmlns=\"{XMLNS}\">\n  <{action}Result>{result}</{action}Result>\n  \
             <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  </ResponseMetadata>\n\
             </{action}Response>\n"
        ))
    }

    fn role(&self, name: &str) -> Result<&Role, Refusal> {
        self.roles.iter().find(|role| role.name == name).ok_or_else(|| {
            Refusal::new(404, "NoSuchEntity", format!("The role with name {name} cannot be found."))
        })
    }

    fn arn_of_role(&self, role: &Role) -> String {
        format!("arn:aws:iam::{}:role{}{}", self.id, path(role), role.name)
    }

    fn arn_of(&self, provider: &Provider) -> String {
        format!("arn:aws:iam::{}:oidc-provider/{}", self.id, escape(&provider.url))
    }

    fn get_role(&self, role: &Role) -> String {
        let mut xml = format!(
            "<Role><Path>{}</Path><Arn>{}</Arn><RoleName>{}</RoleName>\
             <AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument><CreateDate>{CREATED}</CreateDate>\
             <RoleId>AROADBQP57FF2AEXAMPLE</RoleId><MaxSessionDuration>3600</MaxSessionDuration>",
            path(role),
            self.arn_of_role(role),
            role.name,
            form::encode(&role.trust_policy),
        );
        if let Some(boundary) = &role.boundary {
            write!(
                xml,
                "<PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType>\
                 <PermissionsBoundaryArn>{boundary}</PermissionsBoundaryArn></PermissionsBoundary>"
            )
            .unwrap();
        }
        match &role.last_used {
            Some(at) => write!(
                xml,
                "<RoleLastUsed><LastUsedDate>{at}</LastUsedDate><Region>eu-west-1</Region></RoleLastUsed>"
            )
            .unwrap(),
            None => xml.push_str("<RoleLastUsed/>"),
        }
        xml + "</Role>"
    }

    fn get_provider(&self, arn: &str) -> Result<String, Refusal> {
        let found = self.providers.iter().find(|provider| self.arn_of(provider) == arn);
        let provider = found.ok_or_else(|| {
            Refusal::new(404, "NoSuchEntity", format!("OpenIDConnect Provider not found for arn {arn}"))
        })?;
        Ok(format!(
            "{}<CreateDate>{CREATED}</CreateDate>{}<Url>{}</Url>",
            list("ThumbprintList", ["9e99a48a9960b14926bb7f3b02e22da2b0ab7280".to_owned()]),
            list("ClientIDList", provider.client_ids.iter().map(|id| escape(id))),
            escape(&provider.url)
        ))
    }

    fn paged(
        &self,
        request: &Recorded,
        name: &str,
        entries: &[String],
        xml: impl Fn(&String) -> String,
    ) -> String {
        let from = request.field("Marker").and_then(|marker| marker.strip_prefix("from-")?.parse().ok());
        let from: usize = from.unwrap_or_default();
        let page = if self.page == 0 { entries.len() } else { self.page };
        let next = from + page;
        let members = list(name, entries.iter().skip(from).take(page).map(xml));
        if next < entries.len() {
            format!("<IsTruncated>true</IsTruncated><Marker>from-{next}</Marker>{members}")
        } else {
            format!("<IsTruncated>false</IsTruncated>{members}")
        }
    }

    /// One result for each action, as IAM now gives them: the strictest, with each resource's own in it if
    /// resources were named.
    fn simulate(&self, request: &Recorded) -> Result<String, Refusal> {
        let source = request.field("PolicySourceArn").unwrap_or_default();
        if !self.roles.iter().any(|role| self.arn_of_role(role) == source) {
            let message = format!("The entity with ARN {source} cannot be found.");
            return Err(Refusal::new(404, "NoSuchEntity", message));
        }
        let fields = |name: &str| {
            let fields = request.form.iter().filter(|(field, _)| field.starts_with(name));
            fields.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        let (actions, resources) = (fields("ActionNames.member."), fields("ResourceArns.member."));
        let results = actions.iter().map(|action| self.result(action, &resources)).collect::<Vec<_>>();
        Ok(self.paged(request, "EvaluationResults", &results, String::clone))
    }

    fn result(&self, action: &str, resources: &[String]) -> String {
        let any = ["*".to_owned()];
        let of_all = if resources.is_empty() { &any } else { resources };
        let told: Vec<Simulation> = of_all.iter().map(|resource| self.told(action, resource)).collect();
        let rank = |simulation: &&Simulation| match simulation.decision.as_str() {
            "explicitDeny" => 2,
            "implicitDeny" => 1,
            _ => 0,
        };
        let strictest = told.iter().max_by_key(rank).unwrap();
        let mut xml = if resources.is_empty() { String::new() } else { "<EvalDecisionDetails/>".to_owned() };
        if let Some(allows) = strictest.organization {
            write!(
                xml,
                "<OrganizationsDecisionDetail><AllowedByOrganizations>{allows}</AllowedByOrganizations>\
                 </OrganizationsDecisionDetail>"
            )
            .unwrap();
        }
        write!(
            xml,
            "{}<EvalResourceName>{}</EvalResourceName><EvalDecision>{}</EvalDecision>\
             <EvalActionName>{action}</EvalActionName>",
            strictest.details(),
            strictest.resource,
            strictest.decision,
        )
        .unwrap();
        if !resources.is_empty() {
            let specific = told.iter().map(|told| {
                format!(
                    "{}<EvalResourceDecision>{}</EvalResourceDecision>\
                     <EvalResourceName>{}</EvalResourceName>",
                    told.details(),
                    told.decision,
                    told.resource
                )
            });
            xml.push_str(&list("ResourceSpecificResults", specific));
        }
        xml
    }

    /// What it was told, or that nothing allows it.
    fn told(&self, action: &str, resource: &str) -> Simulation {
        let told = self.simulations.iter().find(|told| told.action == action && told.resource == resource);
        told.cloned().unwrap_or_else(|| Simulation {
            action: action.to_owned(),
            resource: resource.to_owned(),
            decision: "implicitDeny".to_owned(),
            ..Simulation::default()
        })
    }
}

impl Simulation {
    fn details(&self) -> String {
        let boundary = self.boundary.map_or_else(String::new, |allows| {
            format!(
                "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>{allows}\
                 </AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>"
            )
        });
        let matched = self.matched.iter().map(|(policy, kind)| {
            format!(
                "<SourcePolicyId>{}</SourcePolicyId><EndPosition><Column>84</Column><Line>1</Line>\
                 </EndPosition><SourcePolicyType>{kind}</SourcePolicyType><StartPosition><Column>38</Column>\
                 <Line>1</Line></StartPosition>",
                escape(policy)
            )
        });
        let missing = self.missing.iter().map(|key| escape(key));
        format!("{boundary}{}{}", list("MatchedStatements", matched), list("MissingContextValues", missing))
    }
}

/// The body of a refusal.
pub(crate) fn refusal(refusal: &Refusal, request_id: &str) -> String {
    error_in(XMLNS, refusal, request_id)
}

fn path(role: &Role) -> &str {
    if role.path.is_empty() { "/" } else { &role.path }
}

fn list(name: &str, members: impl IntoIterator<Item = String>) -> String {
    let members: String = members.into_iter().map(|xml| format!("<member>{xml}</member>")).collect();
    if members.is_empty() { format!("<{name}/>") } else { format!("<{name}>{members}</{name}>") }
}
