//! Why AWS refuses a role: what AWS has is compared with those who ask for the role.
//!
//! What an operator hands in counts first; IAM and the token's issuer are asked about the rest. Nothing
//! is changed there.

use tokio::time::Instant;

use crate::audit::iam::IamSnapshot;
use crate::audit::inputs::Inputs;
use crate::audit::issuer::{self, IssuerDocuments, Signature, SigningKey};
use crate::audit::options::AuditOptions;
use crate::audit::provider::ProviderStatus;
use crate::audit::subject::{AuditSubject, SubjectError};
use crate::audit::{self, AuditResult, Note, provider, refusal, role, trust};
use crate::checks::{role_arn, token};
use crate::host::Pod;
use crate::run::check::Check;
use crate::run::{CheckRun, Fact, Verdict};
use crate::token::Token;
use iam_trust::arn::RoleArn;
use iam_trust::request::Request;

/// Audits the role of a subject by `until` at the latest.
pub(crate) async fn audit_subject(
    pod: &Pod,
    options: &AuditOptions,
    inputs: &Inputs,
    subject: AuditSubject,
    until: Instant,
    run: &CheckRun,
) -> AuditResult {
    let request = subject.request(pod.now());
    let (key_id, is_of_report) = (subject.key_id.clone(), subject.matches_report());
    let mut found = AuditResult::new(Some(subject), inputs);
    let needed = iam_trust::needed(&request).trust_policy;

    if let Some(injected) = audit::web_identity::judge(inputs, options.container.as_deref()) {
        run.check(Check::WebIdentity, async { Ok(found.add_findings(injected)) }).await;
    }
    run.check(Check::RoleArn, async { Ok(Verdict::Pass(request.role.clone())) }).await;
    let expired = inputs.token.as_ref().map(|token| token.claims.expires_at).filter(|at| *at < pod.now());
    found.notes.extend(expired.map(Note::TokenExpired));

    let (snapshot, documents) = ask(pod, options, inputs, &request, until).await;
    let iam = match &snapshot {
        Some(snapshot) => Some(of_account(&request.role, snapshot, run).await),
        None => None,
    };
    let provider = match (&inputs.oidc_provider, &iam) {
        (Some(given), _) => Some(Ok(provider::judge_given(&request, given))),
        (None, Some(iam)) => Some(iam.get().map(|iam| provider::judge_iam(&request, iam))),
        (None, None) => None,
    };
    let lists_audience = matches!(&provider, Some(Ok(Verdict::Pass(ProviderStatus::Accepts(_)))));
    let token = for_sts(&request.audience, lists_audience, run).await;

    let account = found.service_account();
    let query = role::RoleQuery {
        role: &request.role,
        service_account: account.as_ref(),
        needed: token.known().map(|()| &needed),
    };
    let role = run
        .check(Check::Role, async {
            Ok(match (&inputs.trust_policy, &iam) {
                (Some(given), _) => query.judge_given(given),
                (None, Some(iam)) => query.judge_iam(&iam.get()?.role),
                (None, None) => query.judge_nothing(),
            })
        })
        .await;

    let provider = match provider {
        Some(judged) => {
            let judged = async {
                token.get()?;
                judged
            };
            Some(run.check(Check::OidcProvider, judged).await)
        }
        None => None,
    };
    let has_provider = matches!(
        provider.as_ref().and_then(Fact::known),
        Some(ProviderStatus::Accepts(_) | ProviderStatus::Exists(..))
    );

    let report = inputs.report.as_ref().map(|found| &found.report).filter(|_| is_of_report);
    let trust = run
        .check(Check::TrustPolicy, async {
            token.get()?;
            let role = role.get()?;
            let answer = report.and_then(|report| refusal::sts_answer(report, role));
            let (judged, policy) = trust::judge(&role.trust_policy, &request, has_provider, answer);
            found.policy = policy;
            Ok(found.add_findings(judged))
        })
        .await;

    let keys = match documents {
        Some(documents) => {
            let key = match (&inputs.token, &key_id) {
                (Some(token), _) => SigningKey::OfToken(token),
                (None, Some(id)) => SigningKey::WithId(id),
                (None, None) => SigningKey::Unknown,
            };
            let keys = run.check(Check::Issuer, async { Ok(issuer::judge(documents, key)) }).await;
            let unverified = keys.known().filter(|keys| keys.signature != Signature::Verified);
            found.notes.extend(unverified.map(|keys| Note::SignatureNotVerified {
                signature: keys.signature,
                has_key_id: keys.key_id.is_some(),
            }));
            Some(keys)
        }
        None => None,
    };

    if let Some(iam) = &iam {
        run.check(Check::RolePermissions, async {
            let iam = iam.get()?;
            if iam.role.is_ok() {
                // If there is no such role, the permissions are not this role's.
                role.get()?;
            }
            Ok(found.add_findings(role::judge_permissions(&request.role, iam)))
        })
        .await;
        found.simulated = iam.known().map(|iam| iam.simulated_decisions().to_vec()).unwrap_or_default();
    }
    found.unavailable =
        audit::unavailable_facts(provider.is_some(), iam.as_ref().and_then(Fact::known).copied());

    if let Some(report) = report {
        let gave_role = report.account.is_some() && role.known().is_some() && trust.known().is_none();
        found.notes.extend(gave_role.then_some(Note::RefusedAfterAccepted(report.at)));
        let seen = || {
            let (role, provider) = (role.get()?, provider.as_ref().map(Fact::get).transpose()?);
            trust.get()?;
            let keys = keys.as_ref().map(Fact::get).transpose()?;
            Ok(refusal::AllowingFacts {
                role,
                provider,
                policy_is_from_file: inputs.trust_policy.is_some(),
                key_was_checked: keys.is_some_and(|keys| keys.signature == Signature::Verified),
            })
        };
        if let Some(judged) = refusal::judge(&request, report, seen()) {
            run.check(Check::AssumeRole, async { judged }).await;
        }
    }
    found
}

/// Asks IAM and the token's issuer at the same time, if they are to be asked.
async fn ask(
    pod: &Pod,
    options: &AuditOptions,
    inputs: &Inputs,
    request: &Request,
    until: Instant,
) -> (Option<IamSnapshot>, Option<IssuerDocuments>) {
    let snapshot = async {
        if options.asks_iam(inputs) {
            Some(audit::iam::observe(pod, options, request, until).await)
        } else {
            None
        }
    };
    let documents = async {
        if options.lookup.issuer_check {
            Some(issuer::observe(pod, request.issuer.clone(), &options.network, until).await)
        } else {
            None
        }
    };
    tokio::join!(Box::pin(snapshot), Box::pin(documents))
}

/// What IAM said, unless the credentials that asked are missing, rejected or of another account than the role.
async fn of_account<'a>(role: &RoleArn, snapshot: &'a IamSnapshot, run: &CheckRun) -> Fact<&'a IamSnapshot> {
    match role::judge_account(role, snapshot) {
        Some(account) => {
            let account = run.check(Check::OperatorAccount, async { Ok(account) }).await;
            account.take().map(|_| snapshot).into()
        }
        None => Ok(snapshot).into(),
    }
}

/// Checks that the token is meant for STS. An audit knows only the claims of a token and cannot judge the rest,
/// so its report has this check only if it fails.
async fn for_sts(audience: &[String], lists_audience: bool, run: &CheckRun) -> Fact<()> {
    match token::judge_audience(audience, lists_audience) {
        Ok(()) => Ok(()).into(),
        Err(found) => {
            let token = run.check::<Token>(Check::Token, async { Ok(Verdict::Fail(found)) }).await;
            token.take().map(drop).into()
        }
    }
}

/// Audits without a subject: the pod has no identity, or its role ARN is malformed. `None` if neither is
/// the reason why the subject is not known.
pub(crate) async fn audit_without_subject(
    options: &AuditOptions,
    inputs: &Inputs,
    unclear: &SubjectError,
    run: &CheckRun,
) -> Option<AuditResult> {
    if matches!(unclear, SubjectError::AccountOfAnotherPod { .. }) {
        return None;
    }
    let mut found = AuditResult::new(None, inputs);
    let injected = match audit::web_identity::judge(inputs, options.container.as_deref()) {
        Some(judged) => {
            Some(run.check(Check::WebIdentity, async { Ok(found.add_findings(judged)) }).await.take())
        }
        None => None,
    };
    let blocked = match (unclear, injected) {
        (_, Some(Err(blocked))) => blocked,
        (SubjectError::Role(text), _) => {
            let role = run.check(Check::RoleArn, async { Ok(role_arn::judge(&text.value, None)) }).await;
            role.take().err()?
        }
        _ => return None,
    };
    for check in [Check::Role, Check::OidcProvider, Check::TrustPolicy] {
        run.skip(check, blocked);
    }
    Some(found)
}
