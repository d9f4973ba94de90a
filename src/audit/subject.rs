//! For whom a role is asked, put together from what was handed in.
//!
//! A flag says what is meant, so it goes before all else. Then comes the token itself, then what a report saw
//! of it, then what the pod and its service account imply. Where two of those are of different pods, neither
//! is believed: a verdict on a mixture would be of nobody.

use std::fmt;
use std::time::SystemTime;

use super::inputs::Inputs;
use super::inputs::policy::RoleMetadata;
use super::inputs::report::ParsedReport;
use super::options::SubjectFlags;
use crate::injection::view::{PodView, ServiceAccountView, TokenVolume};
use crate::text::sanitize;
use crate::token::{Claims, ServiceAccount};
use iam_trust::arn::{self, ArnFault, RoleArn};
use iam_trust::request::Request;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A flag of this name.
    Flag(&'static str),
    Token,
    Report,
    Pod,
    ServiceAccount,
    /// What stands beside the trust policy.
    Role,
}

impl Source {
    /// The same without the flag that named the file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Flag(name) => name,
            Self::Token => "the token",
            Self::Report => "the report",
            Self::Pod => "the pod",
            Self::ServiceAccount => "the service account",
            Self::Role => "the role",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag(name) => name,
            Self::Token => "the token (--token)",
            Self::Report => "the report (--report)",
            Self::Pod => "the pod (--pod)",
            Self::ServiceAccount => "the service account (--service-account)",
            Self::Role => "the role (--trust-policy)",
        })
    }
}

/// Something, and where it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    pub(crate) value: T,
    pub(crate) source: Source,
}

/// What was handed in, as far as it says for whom the role is asked.
#[derive(Debug, Clone, Copy)]
pub struct SubjectSources<'a> {
    pub(crate) flags: &'a SubjectFlags,
    /// The container that is meant.
    pub(crate) container: Option<&'a str>,
    pub(crate) token: Option<&'a Claims>,
    pub(crate) report: Option<&'a ParsedReport>,
    pub(crate) pod: Option<&'a PodView>,
    pub(crate) account: Option<&'a ServiceAccountView>,
    /// What is said of the role.
    pub(crate) role: Option<&'a RoleMetadata>,
}

impl Inputs {
    /// What says for whom the role is asked.
    #[must_use]
    pub fn sources<'a>(&'a self, flags: &'a SubjectFlags, container: Option<&'a str>) -> SubjectSources<'a> {
        SubjectSources {
            flags,
            container,
            token: self.token.as_ref().map(|token| &token.claims),
            report: self.report.as_ref().map(|found| &found.report),
            pod: self.pod.as_ref(),
            account: self.service_account.as_ref(),
            role: self.trust_policy.as_ref().map(|given| &given.role),
        }
    }
}

/// For whom which role is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSubject {
    pub(crate) issuer: Sourced<String>,
    pub(crate) subject: Sourced<String>,
    pub(crate) audience: Sourced<Vec<String>>,
    pub(crate) role: Sourced<RoleArn>,
    /// The id of the key that signed the token.
    pub(crate) key_id: Option<Sourced<String>>,
    pub(crate) session_name: Option<Sourced<String>>,
    pub(crate) at: Option<SystemTime>,
    /// The region of the STS that was asked, where its endpoint is that of a region.
    pub(crate) region: Option<String>,
    /// What other sources say otherwise, and was not followed.
    pub(crate) disagreements: Vec<Disagreement>,
}

/// What two sources say of the same thing. The values are those that were chosen, and not chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    pub(crate) what: &'static str,
    pub(crate) chosen: Sourced<String>,
    pub(crate) other: Sourced<String>,
}

/// Why it is not clear for whom a role is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectError {
    /// These are not said anywhere.
    Missing {
        /// What.
        missing: Vec<MissingPart>,
        /// The diagnosis of the report, if there is a report that has one.
        reported: Option<String>,
    },
    /// Two sources contradict each other.
    Conflict(Box<Disagreement>),
    /// The role is no role's ARN.
    Role {
        /// The text.
        text: Sourced<String>,
        /// What is wrong with it.
        fault: ArnFault,
    },
}

/// Something that is not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingPart {
    pub(crate) what: &'static str,
    /// The flag that says it.
    pub(crate) flag: &'static str,
    /// Whether the report has it, but not to its end.
    pub(crate) is_cut: bool,
}

impl fmt::Display for SubjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { missing, reported } => {
                let list = missing.iter().map(|MissingPart { what, flag, is_cut }| {
                    let cut = if *is_cut { ", which the report does not have to its end" } else { "" };
                    format!("the {what} ({flag}{cut})")
                });
                let list = list.collect::<Vec<_>>().join(", ");
                match reported.as_deref().map(sanitize) {
                    Some(name) => write!(
                        f,
                        "not known: {list}; the report ends before that with {name}: do first what it says of \
                         it, or irsa-probe explain {name}"
                    ),
                    None => write!(
                        f,
                        "not known: {list}; the report of irsa-probe in the pod has it all: kubectl logs POD -c \
                         CONTAINER | irsa-probe audit"
                    ),
                }
            }
            Self::Conflict(differing) => {
                let Disagreement { what, chosen, other } = &**differing;
                write!(
                    f,
                    "the {what} is \"{}\" by {}, and \"{}\" by {}: they are not of the same {}",
                    sanitize(&chosen.value),
                    chosen.source,
                    sanitize(&other.value),
                    other.source,
                    if other.source == Source::Role { "role" } else { "pod" }
                )
            }
            Self::Role { text, .. } => {
                write!(f, "\"{}\", from {}, is not the ARN of a role", sanitize(&text.value), text.source)
            }
        }
    }
}

impl std::error::Error for SubjectError {}

/// Puts together for whom a role is asked.
///
/// # Errors
/// What is missing, or contradicts itself.
pub fn resolve(from: SubjectSources<'_>) -> Result<AuditSubject, SubjectError> {
    let SubjectSources { flags, container, token, report, pod, account, role } = from;
    let mut differing = Vec::new();
    let mut said = |what, candidates: Vec<(Source, Option<String>)>, contradicts: &[Source]| {
        choose(what, candidates, contradicts, &mut differing)
    };

    let issuer = said(
        "issuer",
        vec![
            (Source::Flag("--issuer"), flags.issuer.as_deref().map(with_scheme)),
            (Source::Token, token.map(|token| token.issuer.clone())),
            (Source::Report, report.and_then(|report| report.issuer.clone())),
        ],
        &[Source::Report],
    )?;
    let subject = said(
        "subject",
        vec![
            (Source::Flag("--subject"), flags.subject.clone()),
            (Source::Token, token.map(|token| token.subject.clone())),
            (Source::Report, report.and_then(|report| report.subject.clone())),
            (Source::Pod, pod.and_then(|pod| pod.service_account.as_ref()).map(subject_of_account)),
            (Source::ServiceAccount, account.map(|account| subject_of_account(&account.service_account))),
        ],
        &[Source::Report, Source::Pod, Source::ServiceAccount],
    )?;
    let of_container = pod.and_then(|pod| {
        let mut meant = pod.selected_containers(container);
        meant.find_map(|container| container.role_arn()).map(str::to_owned)
    });
    let annotated = account.and_then(|account| account.account.role_arn.clone());
    let role = said(
        "role",
        vec![
            (Source::Flag("--role-arn"), flags.role_arn.clone()),
            (Source::Report, report.and_then(|report| report.role_arn.clone())),
            (Source::Pod, of_container),
            (Source::ServiceAccount, annotated),
            (Source::Role, role.and_then(|role| role.arn.clone())),
        ],
        &[],
    )?;

    let of_volume = pod.and_then(|pod| match &pod.token_volume {
        Some(TokenVolume::Token { audience, .. }) => audience.clone(),
        _ => None,
    });
    let one = |audience: Option<String>| audience.map(|audience| Audience(vec![audience]));
    let audience = choose(
        "audience",
        vec![
            (Source::Flag("--audience"), Some(Audience(flags.audience.clone()))),
            (Source::Token, token.map(|token| Audience(token.audience.clone()))),
            (Source::Report, report.map(|report| Audience(report.audience.clone()))),
            (Source::Pod, one(of_volume)),
            (Source::ServiceAccount, one(account.and_then(|account| account.audience.clone()))),
        ],
        &[Source::Report],
        &mut differing,
    )?;

    let (Some(issuer), Some(subject), Some(audience), Some(role)) = (&issuer, &subject, &audience, &role)
    else {
        let is_cut = |what: &str| report.is_some_and(|report| report.cut.contains(&what));
        let missing = [
            (issuer.is_none(), "issuer", "--issuer", "issuer"),
            (subject.is_none(), "subject", "--subject", "subject"),
            (audience.is_none(), "audience", "--audience", "audience"),
            (role.is_none(), "role", "--role-arn", "role ARN"),
        ];
        let missing = missing.into_iter().filter(|(is_missing, ..)| *is_missing);
        let missing = missing.map(|(_, what, flag, name)| MissingPart { what, flag, is_cut: is_cut(name) });
        let reported = report.and_then(|report| report.diagnosis.clone());
        return Err(SubjectError::Missing { missing: missing.collect(), reported });
    };
    let role_arn =
        arn::parse(&role.value).map_err(|fault| SubjectError::Role { text: role.clone(), fault })?;
    if let Some(text) = from.role.and_then(|said| said.arn.as_deref())
        && arn::parse(text).is_ok_and(|other| !other.is_namesake_of(&role_arn))
    {
        let other = Sourced { value: text.to_owned(), source: Source::Role };
        return Err(SubjectError::Conflict(Box::new(Disagreement {
            what: "role",
            chosen: role.clone(),
            other,
        })));
    }
    if let (Some(reported), Some(given)) =
        (report.and_then(|report| report.pod.pod.as_ref()), pod.and_then(|pod| pod.name.as_ref()))
        && reported != given
    {
        let said = |value: &String, source| Sourced { value: value.clone(), source };
        let (chosen, other) = (said(reported, Source::Report), said(given, Source::Pod));
        return Err(SubjectError::Conflict(Box::new(Disagreement { what: "pod", chosen, other })));
    }
    // What STS made of another call says nothing of this one.
    let report = report.filter(|_| report_agrees(&differing));
    let first = |candidates: [(Source, Option<String>); 2]| {
        candidates.into_iter().find_map(|(source, value)| Some(Sourced { value: value?, source }))
    };
    Ok(AuditSubject {
        issuer: issuer.clone(),
        subject: subject.clone(),
        audience: Sourced { value: audience.value.0.clone(), source: audience.source },
        role: Sourced { value: role_arn, source: role.source },
        // A token that names no key is not that of a report that names one.
        key_id: match token {
            Some(token) => token.key_id.clone().map(|value| Sourced { value, source: Source::Token }),
            None => report
                .and_then(|report| report.key_id.clone())
                .map(|value| Sourced { value, source: Source::Report }),
        },
        session_name: first([
            (Source::Flag("--session-name"), flags.session_name.clone()),
            (Source::Report, report.and_then(|report| report.session_name.clone())),
        ]),
        at: report.and_then(|report| report.refusal.as_ref().and_then(|refusal| refusal.at).or(report.at)),
        region: report.and_then(|report| {
            let region = report.region.as_ref()?;
            report.endpoint.as_ref()?.contains(&format!("sts.{region}.")).then(|| region.clone())
        }),
        disagreements: differing,
    })
}

/// Whether a report is of this very call, if there is one.
fn report_agrees(differing: &[Disagreement]) -> bool {
    differing.iter().all(|found| found.other.source != Source::Report)
}

/// What may be said by several sources.
trait SourceValue: Clone {
    fn is_empty(&self) -> bool;
    fn is_same(&self, other: &Self) -> bool;
    fn text(&self) -> String;
}

impl SourceValue for String {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }
    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
    fn text(&self) -> String {
        self.clone()
    }
}

/// The audiences of a token, in any order.
#[derive(Clone)]
struct Audience(Vec<String>);

impl SourceValue for Audience {
    fn is_empty(&self) -> bool {
        self.0.iter().all(String::is_empty)
    }
    fn is_same(&self, Self(others): &Self) -> bool {
        let within = |one: &[String], other: &[String]| one.iter().all(|audience| other.contains(audience));
        within(&self.0, others) && within(others, &self.0)
    }
    fn text(&self) -> String {
        self.0.join(", ")
    }
}

/// The first of the candidates that says something. Others that say otherwise either contradict it, unless it
/// is a flag, or are noted.
fn choose<T: SourceValue>(
    what: &'static str,
    candidates: Vec<(Source, Option<T>)>,
    contradicts: &[Source],
    differing: &mut Vec<Disagreement>,
) -> Result<Option<Sourced<T>>, SubjectError> {
    let said = candidates.into_iter().filter_map(|(source, value)| Some(Sourced { value: value?, source }));
    let mut said = said.filter(|said| !said.value.is_empty());
    let Some(chosen) = said.next() else { return Ok(None) };
    let text = |said: &Sourced<T>| Sourced { value: said.value.text(), source: said.source };
    for other in said.filter(|other| !other.value.is_same(&chosen.value)) {
        let is_contradiction =
            contradicts.contains(&other.source) && !matches!(chosen.source, Source::Flag(_));
        let found = Disagreement { what, chosen: text(&chosen), other: text(&other) };
        if is_contradiction {
            return Err(SubjectError::Conflict(Box::new(found)));
        }
        differing.push(found);
    }
    Ok(Some(chosen))
}

fn subject_of_account(account: &ServiceAccount) -> String {
    format!("system:serviceaccount:{}:{}", account.namespace, account.name)
}

/// An issuer as tokens name it. IAM leaves the scheme out, which can only be this one.
fn with_scheme(issuer: &str) -> String {
    if issuer.contains("://") { issuer.to_owned() } else { format!("https://{issuer}") }
}

impl AuditSubject {
    /// Whether the report, if there is one, is of this very call.
    pub(crate) fn matches_report(&self) -> bool {
        report_agrees(&self.disagreements)
    }

    /// The same as what IAM is asked.
    pub(crate) fn request(&self) -> Request {
        Request {
            role: self.role.value.clone(),
            issuer: self.issuer.value.clone(),
            subject: self.subject.value.clone(),
            audience: self.audience.value.clone(),
            session_name: self.session_name.as_ref().map(|name| name.value.clone()),
            time: self.at,
            extra_keys: self
                .region
                .iter()
                .map(|region| ("aws:requestedregion".to_owned(), vec![region.clone()]))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AuditSubject, Source, SubjectError, SubjectSources, resolve};
    use crate::audit::inputs::log::{Log, LogEnd};
    use crate::audit::inputs::policy::RoleMetadata;
    use crate::audit::inputs::report::ParsedReport;
    use crate::audit::inputs::{pod, service_account};
    use crate::audit::options::SubjectFlags;
    use crate::injection::view::{PodView, ServiceAccountView};
    use crate::token::{self, Claims};
    use iam_trust::arn::ArnFault;
    use iam_trust::evaluate::{Decision, evaluate};
    use iam_trust::{document, needed};

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
        log.push(include_bytes!("../../examples/AssumeRoleNotAuthorized.json"));
        Given {
            flags: SubjectFlags::default(),
            token: token::decode(include_str!("../../tests/recorded/projected-token.jwt")).unwrap(),
            report: log.finish(LogEnd::Complete).unwrap().report,
            pod: pod::read(include_bytes!("../../tests/recorded/pod-injected.json")).unwrap(),
            account: service_account::read(include_bytes!("../../tests/recorded/sa-checkout.json")).unwrap(),
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
    fn a_report_alone_says_it_all() {
        let given = given();
        let found = resolve(SubjectSources { token: None, pod: None, account: None, ..all(&given) }).unwrap();
        assert_eq!(sources(&found), [Source::Report; 4]);
        assert_eq!((found.issuer.value.as_str(), found.subject.value.as_str()), (ISSUER, SUBJECT));
        assert_eq!((found.role.value.text.as_str(), found.disagreements.len()), (ROLE, 0));
        assert!(found.at.is_some() && found.key_id.is_some() && found.session_name.is_some());
        let policy = serde_json::to_string(&needed(&found.request()).trust_policy).unwrap();
        let evaluation = evaluate(&document::parse(&policy).unwrap(), &found.request());
        assert!(matches!(evaluation.decision, Decision::Allows(0)), "{:?}", evaluation.decision);
    }

    #[test]
    fn which_source_goes_first() {
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
    fn what_contradicts_itself_is_not_believed() {
        for (what, change) in [
            ("issuer", (|given| given.report.issuer = Some(format!("{ISSUER}0"))) as fn(&mut Given)),
            ("subject", |given| given.report.subject = Some("system:serviceaccount:a:b".to_owned())),
            ("subject", |given| given.pod.service_account.as_mut().unwrap().name = "bare".to_owned()),
            ("subject", |given| given.account.service_account.namespace = "a".to_owned()),
            ("audience", |given| given.report.audience.push("vault".to_owned())),
        ] {
            let mut given = given();
            change(&mut given);
            match resolve(all(&given)) {
                Err(SubjectError::Conflict(found)) => assert_eq!(found.what, what),
                other => panic!("{what}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_differs_by_age_is_noted() {
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
    fn what_is_missing_is_named_with_its_flag() {
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
                assert_eq!((missing.len(), missing[0].flag, missing[0].is_cut), (1, "--role-arn", true));
            }
            other => panic!("{other:?}"),
        }
        given.flags.role_arn = Some(format!("{ROLE} "));
        let error = resolve(all(&given)).unwrap_err();
        assert!(
            matches!(error, SubjectError::Role { fault: ArnFault::Surrounded("a space"), .. }),
            "{error}"
        );
    }

    #[test]
    fn a_report_of_another_call_says_nothing_of_this_one() {
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
    fn the_report_and_the_pod_are_of_one_pod() {
        let mut given = given();
        given.token = token::decode(include_str!("../../tests/recorded/projected-token.jwt")).unwrap();
        given.report.pod.pod = Some("another".to_owned());
        let asked = resolve(SubjectSources { token: None, ..all(&given) });
        assert!(matches!(&asked, Err(SubjectError::Conflict(found)) if found.what == "pod"), "{asked:?}");
    }

    #[test]
    fn the_policy_of_another_role_is_not_laid_beside_this_one() {
        let mut given = given();
        given.flags.role_arn = Some(ROLE.to_owned());
        for (arn, is_other) in [
            (ROLE, false),
            ("arn:aws:iam::111122223333:role/team/payments-checkout", false),
            ("arn:aws:iam::111122223333:role/payments-orders", true),
            ("arn:aws:iam::444455556666:role/payments-checkout", true),
            ("no arn", false),
        ] {
            let role = RoleMetadata { arn: Some(arn.to_owned()), ..RoleMetadata::default() };
            let asked = resolve(SubjectSources { role: Some(&role), ..all(&given) });
            let is_conflict = matches!(&asked, Err(SubjectError::Conflict(found)) if found.what == "role");
            assert_eq!(is_conflict, is_other, "{arn}: {asked:?}");
        }
    }
}
