//! Who asks for which role: put together from everything that was handed in.
//!
//! A flag is explicit, so it counts before everything else. Then comes the token, then what a report saw of the token,
//! then what the pod and its service account imply. If two of those are of different pods, the audit stops: a verdict on
//! a mixture would be about no pod at all.

mod source;

use std::time::SystemTime;

use iam_trust::arn::{self, RoleArn};
use iam_trust::request::Request;

use super::inputs::Inputs;
use super::inputs::report::ParsedReport;
use super::options::SubjectFlags;
use crate::aws::iam::Role;
use crate::injection::view::{PodView, ServiceAccountView, TokenVolume};
use crate::text::{sanitize, shell_quote};
use crate::token::{Claims, ServiceAccount};
use source::choose;
pub use source::{Disagreement, Source, Sourced};

/// Everything that can say who asks for which role.
#[derive(Debug, Clone, Copy)]
pub struct SubjectSources<'a> {
    flags: &'a SubjectFlags,
    /// The container that the audit is about.
    container: Option<&'a str>,
    token: Option<&'a Claims>,
    report: Option<&'a ParsedReport>,
    pod: Option<&'a PodView>,
    account: Option<&'a ServiceAccountView>,
    role: Option<&'a Role>,
}

/// Who asks for which role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSubject {
    pub(crate) issuer: Sourced<String>,
    pub(crate) subject: Sourced<String>,
    pub(crate) audience: Sourced<Vec<String>>,
    pub(crate) role: Sourced<RoleArn>,
    pub(crate) key_id: Option<String>,
    pub(crate) session_name: Option<Sourced<String>>,
    /// When STS was called.
    pub(crate) at: Option<SystemTime>,
    /// The region of the STS endpoint, if the endpoint is regional.
    pub(crate) region: Option<String>,
    /// Values of other sources that do not count.
    pub(crate) disagreements: Vec<Disagreement>,
}

/// The most characters of an issuer. Source: the IAM API model, `OpenIDConnectProviderUrlType`.
const MAX_ISSUER_CHARS: usize = 255;
/// The most characters of a subject: `system:serviceaccount:`, a namespace of 63, a colon, and a name of 253.
const MAX_SUBJECT_CHARS: usize = 339;
/// The most audiences that are compared. A report has no more.
const MAX_AUDIENCES: usize = 16;
/// The most characters of an audience, which a client id of a provider must be. Source: the IAM API model,
/// `clientIDType`.
const MAX_AUDIENCE_CHARS: usize = 255;

/// Why it is not known who asks for which role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// No source has these parts.
    #[error("not known: {}; {}", missing.join(", "), match reported.as_deref().map(sanitize) {
        Some(name) => format!(
            "the report ends before that with {name}: do first what it says of it, or irsa-probe explain {name}"
        ),
        None => "the report of irsa-probe in the pod has it all: kubectl logs POD -c CONTAINER | irsa-probe audit".to_owned(),
    })]
    Missing {
        /// The name of each part, with the flag that says it.
        missing: Vec<String>,
        reported: Option<String>,
    },
    /// A part is longer than any that AWS takes. The place where it is from.
    #[error("the {what} has {count} {unit}, by {source_of}, and can have at most {max}")]
    TooLong { what: &'static str, unit: &'static str, count: usize, max: usize, source_of: Source },
    /// Two sources contradict each other.
    #[error(
        "the {} is \"{}\" by {}, and \"{}\" by {}: they are not of the same {}",
        .0.what,
        sanitize(&.0.chosen.value),
        .0.chosen.source,
        sanitize(&.0.other.value),
        .0.other.source,
        if .0.other.source == Source::Role { "role" } else { "pod" }
    )]
    Conflict(Box<Disagreement>),
    /// The service account is not the one that the pod runs as.
    #[error(
        "the pod (--pod) runs as service account {pod}, and --service-account is {given}, whose annotation says nothing \
         about this pod; pass the pod's own: kubectl -n {} get serviceaccount {} -o json --show-managed-fields",
        shell_quote(&pod.namespace),
        shell_quote(&pod.name)
    )]
    AccountOfAnotherPod {
        /// The pod's.
        pod: ServiceAccount,
        /// The one that was handed in.
        given: ServiceAccount,
    },
    #[error("\"{}\", from {}, is not the ARN of a role", sanitize(&.0.value), .0.source)]
    Role(Sourced<String>),
}

impl From<Box<Disagreement>> for SubjectError {
    fn from(disagreement: Box<Disagreement>) -> Self {
        Self::Conflict(disagreement)
    }
}

/// Puts together who asks for which role.
///
/// # Errors
/// What is missing or contradictory.
pub fn resolve(sources: SubjectSources<'_>) -> Result<AuditSubject, SubjectError> {
    let SubjectSources { flags, token, report, .. } = sources;
    sources.check_account_is_of_pod()?;
    let mut disagreements = Vec::new();
    let issuer = choose("issuer", sources.issuers(), &[Source::Report], &mut disagreements)?;
    let of_one_pod = [Source::Report, Source::Pod, Source::ServiceAccount];
    let subject = choose("subject", sources.subjects(), &of_one_pod, &mut disagreements)?;
    let role = choose("role", sources.role_arns(), &[], &mut disagreements)?;
    let audience = choose("audience", sources.audiences(), &[Source::Report], &mut disagreements)?;

    let found = [issuer.is_some(), subject.is_some(), audience.is_some(), role.is_some()];
    let (Some(issuer), Some(subject), Some(audience), Some(role)) = (issuer, subject, audience, role) else {
        return Err(sources.missing(found));
    };
    check_lengths("issuer", &issuer, MAX_ISSUER_CHARS)?;
    check_lengths("subject", &subject, MAX_SUBJECT_CHARS)?;
    check_lengths("audience", &audience, MAX_AUDIENCE_CHARS)?;
    check_max("token", "audiences", audience.value.len(), MAX_AUDIENCES, audience.source)?;
    let role = role.joined();
    let role_arn = arn::parse(&role.value).map_err(|_| SubjectError::Role(role.clone()))?;
    sources.check_policy_is_of(&role, &role_arn)?;
    sources.check_report_is_of_pod()?;

    // What STS said to another call is not about this one.
    let report = report.filter(|_| disagreements.iter().all(|one| one.other.source != Source::Report));
    // A flag that differs from the report means another session: nothing to note.
    let session_names = vec![
        (Source::Flag("--session-name"), flags.session_name.clone()),
        (Source::Report, report.and_then(|report| report.session_name.clone())),
    ];
    let session_name = choose("session name", session_names, &[], &mut Vec::new())?;
    Ok(AuditSubject {
        issuer: issuer.joined(),
        subject: subject.joined(),
        audience,
        role: Sourced { value: role_arn, source: role.source },
        // A token that names no key is not the token of a report that names one.
        key_id: match token {
            Some(token) => token.key_id.clone(),
            None => report.and_then(|report| report.key_id.clone()),
        },
        session_name: session_name.as_ref().map(Sourced::joined),
        at: report.and_then(|report| report.refusal.as_ref().and_then(|refusal| refusal.at).or(report.at)),
        region: report.and_then(|report| {
            let region = report.region.as_ref()?;
            report.endpoint.as_ref()?.contains(&format!("sts.{region}.")).then(|| region.clone())
        }),
        disagreements,
    })
}

fn check_lengths(what: &'static str, texts: &Sourced<Vec<String>>, max: usize) -> Result<(), SubjectError> {
    let mut lengths = texts.value.iter().map(|text| text.chars().count());
    lengths.try_for_each(|count| check_max(what, "characters", count, max, texts.source))
}

fn check_max(
    what: &'static str,
    unit: &'static str,
    count: usize,
    max: usize,
    source_of: Source,
) -> Result<(), SubjectError> {
    if count > max { Err(SubjectError::TooLong { what, unit, count, max, source_of }) } else { Ok(()) }
}

impl<'a> SubjectSources<'a> {
    /// The sources among what was handed in.
    pub fn new(inputs: &'a Inputs, flags: &'a SubjectFlags, container: Option<&'a str>) -> Self {
        Self {
            flags,
            container,
            token: inputs.token.as_ref().map(|token| &token.claims),
            report: inputs.report.as_ref().map(|found| &found.report),
            pod: inputs.pod.as_ref(),
            account: inputs.service_account.as_ref(),
            role: inputs.trust_policy.as_ref(),
        }
    }

    fn issuers(&self) -> Vec<(Source, Option<String>)> {
        vec![
            (Source::Flag("--issuer"), self.flags.issuer.as_deref().map(with_scheme)),
            (Source::Token, self.token.map(|token| token.issuer.clone())),
            (Source::Report, self.report.and_then(|report| report.issuer.clone())),
        ]
    }

    fn subjects(&self) -> Vec<(Source, Option<String>)> {
        let of_pod = self.pod.and_then(|pod| pod.service_account.as_ref());
        let of_account = self.account.map(|account| &account.service_account);
        vec![
            (Source::Flag("--subject"), self.flags.subject.clone()),
            (Source::Token, self.token.map(|token| token.subject.clone())),
            (Source::Report, self.report.and_then(|report| report.subject.clone())),
            (Source::Pod, of_pod.map(subject_of_account)),
            (Source::ServiceAccount, of_account.map(subject_of_account)),
        ]
    }

    fn role_arns(&self) -> Vec<(Source, Option<String>)> {
        let of_container = self.pod.and_then(|pod| {
            let mut selected = pod.selected_containers(self.container);
            selected.find_map(|container| container.role_arn()).map(str::to_owned)
        });
        vec![
            (Source::Flag("--role-arn"), self.flags.role_arn.clone()),
            (Source::Report, self.report.and_then(|report| report.role_arn.clone())),
            (Source::Pod, of_container),
            (Source::ServiceAccount, self.account.and_then(|account| account.account.role_arn.clone())),
            (Source::Role, self.role.and_then(|role| role.arn.clone())),
        ]
    }

    fn audiences(&self) -> Vec<(Source, Vec<String>)> {
        let of_volume = self.pod.and_then(|pod| match &pod.token_volume {
            Some(TokenVolume::Token { audience, .. }) => audience.clone(),
            _ => None,
        });
        let of_account = self.account.and_then(|account| account.audience.clone());
        vec![
            (Source::Flag("--audience"), self.flags.audience.clone()),
            (Source::Token, self.token.map(|token| token.audience.clone()).unwrap_or_default()),
            (Source::Report, self.report.map(|report| report.audience.clone()).unwrap_or_default()),
            (Source::Pod, Vec::from_iter(of_volume)),
            (Source::ServiceAccount, Vec::from_iter(of_account)),
        ]
    }

    /// The error for parts that were not found, of issuer, subject, audience and role.
    fn missing(&self, found: [bool; 4]) -> SubjectError {
        let parts = [
            ("issuer", "--issuer", "issuer"),
            ("subject", "--subject", "subject"),
            ("audience", "--audience", "audience"),
            ("role", "--role-arn", "role ARN"),
        ];
        let is_cut = |name: &str| self.report.is_some_and(|report| report.cut.contains(&name));
        let missing = parts.into_iter().zip(found).filter(|(_, is_found)| !is_found);
        let missing = missing.map(|((what, flag, name), _)| {
            let cut = if is_cut(name) { ", which the report does not have to its end" } else { "" };
            format!("the {what} ({flag}{cut})")
        });
        let reported = self.report.and_then(|report| report.diagnosis.clone());
        SubjectError::Missing { missing: missing.collect(), reported }
    }

    /// Checks that the trust policy is not another role's. The path can differ.
    fn check_policy_is_of(&self, chosen: &Sourced<String>, role: &RoleArn) -> Result<(), Box<Disagreement>> {
        match self.role.and_then(|role| role.arn.as_ref()) {
            Some(text) if arn::parse(text).is_ok_and(|other| !other.is_namesake_of(role)) => {
                let other = Sourced { value: text.clone(), source: Source::Role };
                Err(Box::new(Disagreement { what: "role", chosen: chosen.clone(), other }))
            }
            _ => Ok(()),
        }
    }

    /// Checks that the service account is the pod's.
    fn check_account_is_of_pod(&self) -> Result<(), SubjectError> {
        let of_pod = self.pod.and_then(|pod| pod.service_account.as_ref());
        match of_pod.zip(self.account.map(|account| &account.service_account)) {
            Some((pod, given)) if pod != given => {
                Err(SubjectError::AccountOfAnotherPod { pod: pod.clone(), given: given.clone() })
            }
            _ => Ok(()),
        }
    }

    fn check_report_is_of_pod(&self) -> Result<(), Box<Disagreement>> {
        let reported = self.report.and_then(|report| report.pod.pod.as_ref());
        match reported.zip(self.pod.and_then(|pod| pod.name.as_ref())) {
            Some((reported, given)) if reported != given => {
                let chosen = Sourced { value: reported.clone(), source: Source::Report };
                let other = Sourced { value: given.clone(), source: Source::Pod };
                Err(Box::new(Disagreement { what: "pod", chosen, other }))
            }
            _ => Ok(()),
        }
    }
}

fn subject_of_account(account: &ServiceAccount) -> String {
    format!("system:serviceaccount:{}:{}", account.namespace, account.name)
}

/// An issuer as tokens name it. IAM leaves out the scheme, which is always this one.
fn with_scheme(issuer: &str) -> String {
    if issuer.contains("://") { issuer.to_owned() } else { format!("https://{issuer}") }
}

impl AuditSubject {
    /// Whether the report, if there is one, is of this call.
    pub(crate) fn matches_report(&self) -> bool {
        self.disagreements.iter().all(|one| one.other.source != Source::Report)
    }

    /// The call that STS gets: the one of the report, or else one that is made `now`.
    pub fn request(&self, now: SystemTime) -> Request {
        let region = self.region.iter();
        Request {
            role: self.role.value.clone(),
            issuer: self.issuer.value.clone(),
            subject: self.subject.value.clone(),
            audience: self.audience.value.clone(),
            session_name: self.session_name.as_ref().map(|name| name.value.clone()),
            time: Some(self.at.unwrap_or(now)),
            extra_keys: region
                .map(|region| ("aws:requestedregion".to_owned(), vec![region.clone()]))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AuditSubject, Source, SubjectError, SubjectSources, resolve};
    use crate::audit::inputs::log::{Log, LogEnd};
    use crate::audit::inputs::report::ParsedReport;
    use crate::audit::inputs::{pod, service_account};
    use crate::audit::options::SubjectFlags;
    use crate::aws::iam::Role;
    use crate::injection::view::{PodView, ServiceAccountView};
    use crate::token::{self, Claims};
    use iam_trust::evaluate::{Decision, evaluate};
    use iam_trust::{document, needed};
    use std::time::SystemTime;

    const ISSUER: &str = "https://oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";
    const SUBJECT: &str = "system:serviceaccount:payments:checkout";
    const ROLE: &str = "arn:aws:iam::111122223333:role/payments-checkout";

    struct Given {
        flags: SubjectFlags,
        token: Claims,
        report: ParsedReport,
        pod: PodView,
        account: ServiceAccountView,
    }

    fn given() -> Given {
        let mut log = Log::default();
        log.push(include_bytes!("../../../examples/AssumeRoleNotAuthorized.json"));
        Given {
            flags: SubjectFlags::default(),
            token: token::decode(include_str!("../../../tests/recorded/projected-token.jwt")).unwrap(),
            report: log.finish(LogEnd::Complete).unwrap().report,
            pod: pod::read(include_bytes!("../../../tests/recorded/pod-injected.json")).unwrap(),
            account: service_account::read(include_bytes!("../../../tests/recorded/sa-checkout.json"))
                .unwrap(),
        }
    }

    fn all(given: &Given) -> SubjectSources<'_> {
        SubjectSources {
            flags: &given.flags,
            container: None,
            token: Some(&given.token),
            report: Some(&given.report),
            pod: Some(&given.pod),
            account: Some(&given.account),
            role: None,
        }
    }

    fn sources(subject: &AuditSubject) -> [Source; 4] {
        [subject.issuer.source, subject.subject.source, subject.audience.source, subject.role.source]
    }

    #[test]
    fn report_alone_is_enough() {
        let given = given();
        let found = resolve(SubjectSources { token: None, pod: None, account: None, ..all(&given) }).unwrap();
        assert_eq!(sources(&found), [Source::Report; 4]);
        assert_eq!((found.issuer.value.as_str(), found.subject.value.as_str()), (ISSUER, SUBJECT));
        assert_eq!((found.role.value.text.as_str(), found.disagreements.len()), (ROLE, 0));
        assert!(found.at.is_some() && found.key_id.is_some() && found.session_name.is_some());
        let policy =
            serde_json::to_string(&needed(&found.request(SystemTime::UNIX_EPOCH)).trust_policy).unwrap();
        let evaluation = evaluate(&document::parse(&policy).unwrap(), &found.request(SystemTime::UNIX_EPOCH));
        assert!(matches!(evaluation.decision, Decision::Allows(0)), "{:?}", evaluation.decision);
    }

    #[test]
    fn sources_count_in_order() {
        let mut given = given();
        let found = resolve(all(&given)).unwrap();
        assert_eq!(sources(&found), [Source::Token, Source::Token, Source::Token, Source::Report]);
        assert!(found.disagreements.is_empty(), "{:?}", found.disagreements);

        given.flags = SubjectFlags {
            issuer: Some("oidc.eks.eu-west-1.amazonaws.com/id/AB".to_owned()),
            subject: Some("system:serviceaccount:a:b".to_owned()),
            audience: vec!["vault".to_owned()],
            role_arn: Some("arn:aws:iam::111122223333:role/b".to_owned()),
            session_name: Some("s".to_owned()),
        };
        let found = resolve(all(&given)).unwrap();
        let flags = ["--issuer", "--subject", "--audience", "--role-arn"].map(Source::Flag);
        assert_eq!(sources(&found), flags);
        assert_eq!(found.issuer.value, "https://oidc.eks.eu-west-1.amazonaws.com/id/AB");
        assert_eq!(found.session_name.as_ref().map(|name| name.value.as_str()), Some("s"));
        let differing = |what: &str| found.disagreements.iter().filter(|one| one.what == what).count();
        assert_eq!(["issuer", "subject", "audience", "role"].map(differing), [2, 4, 3, 3]);

        given.flags = SubjectFlags { issuer: Some(ISSUER.to_owned()), ..SubjectFlags::default() };
        let found = resolve(SubjectSources { token: None, report: None, ..all(&given) }).unwrap();
        assert_eq!(sources(&found), [Source::Flag("--issuer"), Source::Pod, Source::Pod, Source::Pod]);
    }

    #[test]
    fn contradictions_are_errors() {
        for (what, change) in [
            ("issuer", (|given| given.report.issuer = Some(format!("{ISSUER}0"))) as fn(&mut Given)),
            ("subject", |given| given.report.subject = Some("system:serviceaccount:a:b".to_owned())),
            ("audience", |given| given.report.audience.push("vault".to_owned())),
        ] {
            let mut given = given();
            change(&mut given);
            match resolve(all(&given)) {
                Err(SubjectError::Conflict(found)) => assert_eq!(found.what, what),
                other => panic!("{what}: {other:?}"),
            }
        }
        let mut given = given();
        given.account.service_account.namespace = "a".to_owned();
        let found = resolve(all(&given));
        assert!(matches!(found, Err(SubjectError::AccountOfAnotherPod { .. })), "{found:?}");
    }

    #[test]
    fn differences_by_age_are_noted() {
        let mut given = given();
        given.account.account.role_arn = Some("arn:aws:iam::111122223333:role/b".to_owned());
        given.account.audience = Some("vault".to_owned());
        given.token.audience = vec!["b".to_owned(), "a".to_owned(), "a".to_owned()];
        given.report.audience = vec!["a".to_owned(), "b".to_owned()];
        let found = resolve(all(&given)).unwrap();
        let of = found.disagreements.iter().map(|one| (one.what, one.other.source));
        let expected = [
            ("role", Source::ServiceAccount),
            ("audience", Source::Pod),
            ("audience", Source::ServiceAccount),
        ];
        assert_eq!(of.collect::<Vec<_>>(), expected);
        assert_eq!(found.audience.value, given.token.audience, "in the order of the token");
    }

    #[test]
    fn missing_parts_are_named_with_their_flags() {
        let mut given = given();
        let nothing = SubjectSources { token: None, report: None, pod: None, account: None, ..all(&given) };
        let error = resolve(nothing).unwrap_err().to_string();
        for flag in ["--issuer", "--subject", "--audience", "--role-arn", "kubectl logs"] {
            assert!(error.contains(flag), "{error}");
        }
        given.report.role_arn = None;
        given.report.cut = vec!["role ARN"];
        let error =
            resolve(SubjectSources { token: None, pod: None, account: None, ..all(&given) }).unwrap_err();
        match error {
            SubjectError::Missing { missing, .. } => {
                assert_eq!(missing, ["the role (--role-arn, which the report does not have to its end)"]);
            }
            other => panic!("{other:?}"),
        }
        given.flags.role_arn = Some(format!("{ROLE} "));
        let error = resolve(all(&given)).unwrap_err();
        assert!(matches!(error, SubjectError::Role(_)), "{error}");
    }

    #[test]
    fn report_of_another_call_is_ignored() {
        let mut given = given();
        let of_report = SubjectSources { token: None, pod: None, account: None, ..all(&given) };
        let same = resolve(of_report).unwrap();
        assert!(same.matches_report() && same.at.is_some() && same.session_name.is_some());
        assert_eq!(same.region.as_deref(), Some("eu-west-1"));
        for edit in [
            (|flags| flags.role_arn = Some("arn:aws:iam::111122223333:role/other".to_owned()))
                as fn(&mut SubjectFlags),
            |flags| flags.subject = Some("system:serviceaccount:a:b".to_owned()),
            |flags| flags.audience = vec!["foo".to_owned()],
            |flags| flags.issuer = Some("https://oidc.example.com".to_owned()),
        ] {
            given.flags = SubjectFlags::default();
            edit(&mut given.flags);
            let other =
                resolve(SubjectSources { token: None, pod: None, account: None, ..all(&given) }).unwrap();
            assert!(!other.matches_report(), "{other:?}");
            assert_eq!((other.at, other.region, other.session_name, other.key_id), (None, None, None, None));
        }
    }

    #[test]
    fn report_of_another_pod_is_a_conflict() {
        let mut given = given();
        given.token = token::decode(include_str!("../../../tests/recorded/projected-token.jwt")).unwrap();
        given.report.pod.pod = Some("another".to_owned());
        let asked = resolve(SubjectSources { token: None, ..all(&given) });
        assert!(matches!(&asked, Err(SubjectError::Conflict(found)) if found.what == "pod"), "{asked:?}");
    }

    #[test]
    fn policy_of_another_role_is_a_conflict() {
        let mut given = given();
        given.flags.role_arn = Some(ROLE.to_owned());
        for (arn, is_other) in [
            (ROLE, false),
            ("arn:aws:iam::111122223333:role/team/payments-checkout", false),
            ("arn:aws:iam::111122223333:role/payments-orders", true),
            ("arn:aws:iam::444455556666:role/payments-checkout", true),
            ("no arn", false),
        ] {
            let role = Role { arn: Some(arn.to_owned()), ..Role::default() };
            let asked = resolve(SubjectSources { role: Some(&role), ..all(&given) });
            let is_conflict = matches!(&asked, Err(SubjectError::Conflict(found)) if found.what == "role");
            assert_eq!(is_conflict, is_other, "{arn}: {asked:?}");
        }
    }
}
