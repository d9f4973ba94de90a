//! What a role's trust policy says of a token, told from the policy itself.

pub(super) mod words;

use super::{Diagnosis, Entry, Name};
use crate::diagnosis::aws_cli::{iam, show_trust_policy, update_trust_policy, write_trust_policy};
use crate::evidence::Evidence;
use crate::text::{escape_json, sanitize, shell_quote};
use iam_trust::arn::RoleArn;
use iam_trust::condition::{Operator, Truth};
use iam_trust::correct::{CorrectedPolicy, CorrectionKind};
use iam_trust::document::{Condition, Document, Effect, PolicyError, Statement};
use iam_trust::evaluate::{Decision, ElementKind, ElementResult, Evaluation, StatementResult, evaluate};
use iam_trust::mismatch::{ExplainedRefusal, IssuerDifference, Mismatch, SubjectDifference, exclusions};
use iam_trust::reach::{Reach, reach, reach_of, subject_patterns};
use iam_trust::request::{ACTION, KeyValue, Request};
use iam_trust::{USUAL_AUDIENCE, document, literal, mismatch};

/// The most places of one kind of slip that are told one by one.
const TOLD: usize = 4;

/// An element of a statement that refuses, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MismatchAt {
    /// The statement's place, counted from 0.
    pub statement: usize,
    /// Its id, if it has one.
    pub sid: Option<String>,
    /// The element, with what it wants and what the token has.
    pub element: ElementResult,
    /// What is wrong.
    pub miss: Mismatch,
}

/// How a policy can be mended.
#[derive(Debug, Clone)]
pub enum Fix {
    /// By this document, and by which patterns its statement lets in others than the one before.
    By(CorrectedPolicy, Vec<String>),
    /// By what is printed with this diagnosis.
    With(Name),
    /// Only by hand, and what else of the policy is to be minded.
    ByHand(Vec<String>),
}

/// A kind of slip that keeps a token from its role: the facts that most entries share.
#[derive(Debug, Clone)]
pub struct RefusingStatement {
    /// The call.
    pub request: Request,
    /// The slip that is met first.
    pub first: MismatchAt,
    /// Others of this kind, in the same statement.
    pub others: Vec<MismatchAt>,
    /// What mends it.
    pub mend: Fix,
    /// Whether the account is known to have the token's OIDC provider.
    pub has_provider: bool,
}

/// Facts of the call.
pub(super) fn call(request: &Request) -> Evidence {
    Evidence::new()
        .text("role_arn", &request.role.text)
        .text("issuer", &request.issuer)
        .text("subject", &request.subject)
        .texts("audience", &request.audience)
}

/// What conditions on the claims of other issuers' tokens come to.
fn told_strange(conditions: &[(Condition, IssuerDifference)], request: &Request) -> String {
    let told = conditions.iter().take(TOLD);
    told.map(|(condition, gap)| words::strange(condition, *gap, request)).collect()
}

/// Facts of an element.
fn laid_beside(statement: usize, sid: Option<&str>, element: &ElementResult) -> Evidence {
    let evidence = Evidence::new().value("statement", format!("Statement[{statement}]")).text_if("sid", sid);
    let evidence = match &element.kind {
        ElementKind::Principal => evidence.value("element", "Principal"),
        ElementKind::Action(name) => evidence.value("element", *name),
        ElementKind::Condition { operator, key } => {
            evidence.value("element", "Condition").text("operator", operator).text("key", key)
        }
    };
    let evidence = evidence.texts("wanted", &element.expected);
    match &element.actual {
        KeyValue::Values(had) => evidence.texts("had", had),
        KeyValue::Absent => evidence.value("had", Vec::<String>::new()),
        KeyValue::Unknown(why) => evidence.value("not_known", *why),
    }
}

/// A gap as evidence has it.
fn gap(miss: &Mismatch) -> Option<&'static str> {
    Some(match miss {
        Mismatch::Subject(gap) => match gap {
            SubjectDifference::Namespace => "namespace",
            SubjectDifference::Name => "name",
            SubjectDifference::Swapped => "swapped",
            SubjectDifference::Case => "case",
            SubjectDifference::Prefix => "prefix",
            SubjectDifference::Excluded => "excluded",
            SubjectDifference::Whole => "whole",
        },
        Mismatch::Issuer(gap) => issuer_gap(*gap),
        Mismatch::SubjectWildcard { .. }
        | Mismatch::Audience
        | Mismatch::Account(_)
        | Mismatch::Partition(_)
        | Mismatch::Principal(_)
        | Mismatch::Action
        | Mismatch::KeySwapped { .. }
        | Mismatch::Other => return None,
    })
}

/// How an issuer differs, as evidence has it.
pub(super) fn issuer_gap(gap: IssuerDifference) -> &'static str {
    match gap {
        IssuerDifference::Scheme => "scheme",
        IssuerDifference::Arn => "arn",
        IssuerDifference::NoArn => "no-arn",
        IssuerDifference::Slash => "slash",
        IssuerDifference::Reversed => "reversed",
        IssuerDifference::DualStack => "dual-stack",
        IssuerDifference::Case => "case",
        IssuerDifference::Invisible => "hidden",
        IssuerDifference::Domain => "domain",
        IssuerDifference::Region => "region",
        IssuerDifference::Cluster => "cluster",
        IssuerDifference::Whole => "whole",
    }
}

impl RefusingStatement {
    fn cause(&self) -> String {
        let is_same =
            |slip: &&MismatchAt| matches!(slip.miss, Mismatch::Issuer(_)) && slip.miss == self.first.miss;
        let (same, different): (Vec<&MismatchAt>, Vec<&MismatchAt>) = self.others.iter().partition(is_same);
        let told = std::iter::once(&self.first).chain(different.iter().copied());
        let mut sentences: Vec<String> =
            told.take(TOLD).map(|slip| words::cause(slip, &self.request)).collect();
        let more = (1 + different.len()).saturating_sub(TOLD);
        if more > 0 {
            sentences.push(format!("There are {more} more of this kind."));
        }
        if !same.is_empty() {
            let places: Vec<String> =
                same.iter().take(TOLD).map(|slip| words::element(&slip.element.kind)).collect();
            let more = same.len().saturating_sub(TOLD);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            sentences.push(format!("The same is wrong with {}{more}.", places.join(", ")));
        }
        sentences.join(" ")
    }

    fn evidence(&self) -> Evidence {
        let MismatchAt { statement, sid, element, miss } = &self.first;
        let evidence = laid_beside(*statement, sid.as_deref(), element);
        let evidence = evidence.text_if("gap", gap(miss));
        let others: Vec<String> = self.others.iter().map(|slip| words::element(&slip.element.kind)).collect();
        let evidence = if others.is_empty() { evidence } else { evidence.texts("also", &others) };
        evidence.and(call(&self.request))
    }

    /// What to do: the corrected document if there is one, between what else there is to do.
    fn remedy(&self, before: Vec<String>, instead: &str, after: Vec<String>) -> Vec<String> {
        let request = &self.request;
        let mend = match &self.mend {
            Fix::By(corrected, wider) => vec![put(corrected, wider, &request.role)],
            Fix::With(name) => vec![format!("Mended by the corrected policy under {}.", name.as_str())],
            Fix::ByHand(notes) => by_hand(&request.role, notes, instead),
        };
        [before, mend, after].concat()
    }

    /// The first element, in a sentence.
    fn what(&self) -> String {
        let what = words::element(&self.first.element.kind);
        format!(
            "{} in {}",
            what.strip_prefix("its ").unwrap_or(&what),
            words::statement(self.first.statement, self.first.sid.as_deref())
        )
    }

    /// Whether the first element names whom or what it rules out.
    fn is_exclusion(&self) -> bool {
        let MismatchAt { statement, element, miss, .. } = &self.first;
        ExplainedRefusal { statement: *statement, element: element.clone(), mismatch: miss.clone() }
            .is_exclusion()
    }

    /// What has to stand in place of a provider or a key.
    fn instead_of_issuer(&self) -> String {
        match &self.first.element.kind {
            ElementKind::Condition { key, .. } => {
                let claim = key.rsplit_once(':').map_or("sub", |(_, claim)| claim);
                format!("the key {}:{}", sanitize(self.request.provider()), sanitize(claim))
            }
            ElementKind::Principal | ElementKind::Action(_) => {
                format!("Federated {}", sanitize(&self.request.provider_arn()))
            }
        }
    }

    /// The steps that see to it that the token's provider exists, which the policy alone does not show.
    fn provider_exists(&self) -> Vec<String> {
        if self.has_provider {
            return Vec::new();
        }
        let role = &self.request.role;
        let is_usual = |audience: &&String| *audience == USUAL_AUDIENCE;
        let audiences = &self.request.audience;
        let audience = audiences.iter().find(is_usual).or_else(|| audiences.first());
        let audience = audience.map_or(USUAL_AUDIENCE, String::as_str);
        vec![
            format!(
                "See that account {} has the token's OIDC provider:\n{} --open-id-connect-provider-arn {}",
                role.account,
                iam(role, "get-open-id-connect-provider"),
                shell_quote(&self.request.provider_arn())
            ),
            format!(
                "If it does not, create it:\n{} --url {} --client-id-list {}",
                iam(role, "create-open-id-connect-provider"),
                shell_quote(&self.request.issuer),
                shell_quote(audience)
            ),
        ]
    }
}

/// The step that puts a corrected document in the place of the one before.
fn put(corrected: &CorrectedPolicy, wider: &[String], role: &RoleArn) -> String {
    let how = match corrected.kind {
        CorrectionKind::InPlace(index) => format!("only Statement[{index}] changes"),
        CorrectionKind::Added => {
            "a statement for this token is added at the end, and all others stay".to_owned()
        }
    };
    let wide = match wider {
        [] => String::new(),
        patterns => format!(
            " Beside this pod it lets in {}, as the policy's own pattern says; write the subject in place of the \
             pattern if that is not meant.",
            words::whom(patterns)
        ),
    };
    format!(
        "In account {}, put the corrected policy in place: {how}.{wide} It replaces the whole policy; if that was \
         changed since it was judged, judge it again first.\n\
         {} &&\n{}",
        role.account,
        write_trust_policy(&corrected.document),
        update_trust_policy(role)
    )
}

/// The steps where there is no corrected document: with what else is to be minded before it is put in place.
fn by_hand(role: &RoleArn, notes: &[String], instead: &str) -> Vec<String> {
    let mut steps = vec![format!(
        "In account {}, look at the role's trust policy:\n{}",
        role.account,
        show_trust_policy(role)
    )];
    steps.extend(notes.iter().cloned());
    steps.push(format!(
        "{instead} Save the whole corrected document as trust-policy.json, and put it in place:\n{}",
        update_trust_policy(role)
    ));
    steps
}

/// What to do about what plainly was put there to keep callers out.
fn ask_author(what: &str, change: &str) -> String {
    format!(
        "Ask whoever wrote {what} whom it is to keep out, since that is said there on purpose. If that is not \
             this pod, {change}."
    )
}

/// Entries that are nothing but a kind of slip.
macro_rules! slips {
    ($($(#[$doc:meta])* $name:ident; |$it:ident| $remedy:expr;)*) => {
        $($(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(pub RefusingStatement);

        impl Entry for $name {
            fn cause(&self) -> String {
                self.0.cause()
            }

            fn remedy(&self) -> Vec<String> {
                let $it = &self.0;
                $remedy
            }

            fn evidence(&self) -> Evidence {
                self.0.evidence()
            }
        })*
    };
}

slips! {
    /// A condition wants another subject.
    TrustSubjectMismatch;
    |it| {
        let subject = sanitize(&it.request.subject);
        let is_slip = matches!(
            it.first.miss, Mismatch::Subject(SubjectDifference::Case | SubjectDifference::Prefix | SubjectDifference::Swapped)
        );
        let instead = match it.first.miss {
            Mismatch::Subject(SubjectDifference::Excluded) => {
                ask_author(&it.what(), &format!("have it except {subject}"))
            }
            _ => format!("Let the condition on the subject have {subject}, beside what else is meant."),
        };
        let stays = "The subject that the policy had before stays in it; take it out if no pod needs it.";
        let pod = "If it is the pod that is wrong, and not the policy, let the pod have the service account that the \
                   policy names (spec.serviceAccountName), and create it anew.";
        let is_excluded = it.first.miss == Mismatch::Subject(SubjectDifference::Excluded);
        let after: &[&str] = match (is_slip || is_excluded, &it.mend) {
            (true, _) => &[],
            (false, Fix::By(CorrectedPolicy { kind: CorrectionKind::InPlace(_), .. }, _)) => &[stays, pod],
            (false, _) => &[pod],
        };
        it.remedy(Vec::new(), &instead, after.iter().map(|step| (*step).to_owned()).collect())
    };

    /// A pattern stands where the operator takes it for plain text.
    TrustSubjectWildcard;
    |it| {
        let like = match &it.first.miss {
            Mismatch::SubjectWildcard { operator } => operator.as_str(),
            _ => "StringLike",
        };
        let stays = "The statement with the pattern stays as it was, since it compares other values, too, or capital \
                     letters in its own way. If the pattern itself is meant, its author has to put it under \
                     StringLike in a statement of its own.";
        let after = match &it.mend {
            Fix::By(CorrectedPolicy { kind: CorrectionKind::Added, .. }, _) => vec![stays.to_owned()],
            Fix::By(..) | Fix::With(_) | Fix::ByHand(_) => Vec::new(),
        };
        it.remedy(Vec::new(), &format!("Put the pattern for the subject under {}.", sanitize(like)), after)
    };

    /// A condition wants another audience.
    TrustAudienceMismatch;
    |it| {
        if it.is_exclusion() {
            return it.remedy(Vec::new(), &ask_author(&it.what(), "take the token's audience from it"), Vec::new());
        }
        let audience = words::values(&it.request.audience);
        let instead = match it.request.audience.len() {
            0 => "Give the pod a token with an audience.".to_owned(),
            1 => format!("Let the condition on the audience have {audience}."),
            _ => "Put the condition on the audience under ForAnyValue:StringEquals, or give the pod a token with one \
                  audience.".to_owned(),
        };
        it.remedy(Vec::new(), &instead, vec![
            "If it is the token that is wrong, set or remove the service account's annotation \
             eks.amazonaws.com/audience, and create the pod anew.".to_owned(),
        ])
    };

    /// The statement is for tokens of another issuer, or names this one wrongly.
    TrustIssuerMismatch;
    |it| {
        let instead = format!("Write {} in its place.", it.instead_of_issuer());
        let is_provider = it.first.element.kind == ElementKind::Principal;
        it.remedy(if is_provider { it.provider_exists() } else { Vec::new() }, &instead, Vec::new())
    };

    /// The provider is one of another account.
    TrustAccountMismatch;
    |it| {
        let instead = format!("Write {} in its place.", it.instead_of_issuer());
        it.remedy(it.provider_exists(), &instead, Vec::new())
    };

    /// The provider is one of another partition.
    TrustPartitionMismatch;
    |it| {
        let instead = format!("Write {} in its place.", it.instead_of_issuer());
        it.remedy(it.provider_exists(), &instead, Vec::new())
    };

    /// The statement trusts something else than an OIDC provider.
    TrustPrincipalWrong;
    |it| {
        let instead =
            format!("Add a statement for this token, with the Principal {}.", it.instead_of_issuer());
        it.remedy(it.provider_exists(), &instead, Vec::new())
    };

    /// A key is about one claim, and its value is another's.
    TrustKeySwapped;
    |it| {
        let meant = match it.first.miss {
            Mismatch::KeySwapped { meant, .. } => meant,
            _ => "sub",
        };
        let key = format!("{}:{meant}", it.request.provider());
        it.remedy(Vec::new(), &format!("Write the key {} in its place.", sanitize(&key)), Vec::new())
    };

    /// A condition on something else than the token refuses.
    TrustConditionUnmet;
    |it| {
        let instead = ask_author(&it.what(), "give the pod a statement of its own without it");
        it.remedy(Vec::new(), &instead, Vec::new())
    };
}

/// No statement is about the action that a token is traded by.
#[derive(Debug, Clone)]
pub enum TrustActionMissing {
    /// The statement that is nearest is about other actions.
    Others(Box<RefusingStatement>),
    /// No statement allows anything.
    None(Box<NothingAllowed>),
}

/// A policy that allows nothing at all.
#[derive(Debug, Clone)]
pub struct NothingAllowed {
    /// The call.
    pub request: Request,
    /// What mends it.
    pub mend: Fix,
}

impl Entry for TrustActionMissing {
    fn cause(&self) -> String {
        match self {
            Self::Others(refusing) => refusing.cause(),
            Self::None(_) => format!(
                "The policy has no statement that allows anything, and what is not allowed is refused: {ACTION} too."
            ),
        }
    }

    fn remedy(&self) -> Vec<String> {
        match self {
            Self::Others(refusing) => {
                let instead = if refusing.is_exclusion() {
                    ask_author(&refusing.what(), &format!("take {ACTION} from it"))
                } else {
                    format!("Let the statement be about {ACTION} too.")
                };
                refusing.remedy(Vec::new(), &instead, Vec::new())
            }
            Self::None(nothing) => {
                let request = &nothing.request;
                match &nothing.mend {
                    Fix::By(corrected, wider) => vec![put(corrected, wider, &request.role)],
                    Fix::With(_) | Fix::ByHand(_) => {
                        let notes: &[String] =
                            if let Fix::ByHand(notes) = &nothing.mend { notes } else { &[] };
                        let instead = format!(
                            "Add a statement that allows {ACTION} to the Principal Federated {}.",
                            sanitize(&request.provider_arn())
                        );
                        by_hand(&request.role, notes, &instead)
                    }
                }
            }
        }
    }

    fn evidence(&self) -> Evidence {
        match self {
            Self::Others(refusing) => refusing.evidence(),
            Self::None(nothing) => call(&nothing.request),
        }
    }
}

/// A statement denies the call.
#[derive(Debug, Clone)]
pub struct TrustDenied {
    /// The call.
    pub request: Request,
    /// The statement's place, counted from 0.
    pub statement: usize,
    /// Its id, if it has one.
    pub sid: Option<String>,
    /// Its elements, all of which match.
    pub elements: Vec<ElementResult>,
    /// Its conditions on claims of other issuers' tokens, which hold for this one, and how each key differs.
    pub strange: Vec<(Condition, IssuerDifference)>,
    /// Whether it no longer denies once the keys among these that are only misspelt are put right.
    pub is_misspelt: bool,
}

impl TrustDenied {
    fn conditions(&self) -> impl Iterator<Item = &ElementResult> {
        self.elements.iter().filter(|element| matches!(element.kind, ElementKind::Condition { .. }))
    }
}

impl Entry for TrustDenied {
    fn cause(&self) -> String {
        let met = |element: &ElementResult| {
            let negated = match &element.kind {
                ElementKind::Condition { operator, .. } => {
                    Operator::parse(operator).is_some_and(Operator::is_negated)
                }
                ElementKind::Principal | ElementKind::Action(_) => false,
            };
            format!(
                "{} {} {}, and the call has {}",
                words::element(&element.kind),
                if negated { "is met by all but" } else { "is met by" },
                words::values(&element.expected),
                words::known(&element.actual)
            )
        };
        let met: Vec<String> = self.conditions().take(TOLD).map(met).collect();
        let why = match met.as_slice() {
            [] => "it has no condition, so that it denies every such call".to_owned(),
            met => met.join("; "),
        };
        let strange = told_strange(&self.strange, &self.request);
        format!(
            "{} denies this call, whatever other statements allow: {why}.{strange}",
            words::statement(self.statement, self.sid.as_deref())
        )
    }

    fn remedy(&self) -> Vec<String> {
        let place = words::statement(self.statement, self.sid.as_deref());
        let subject = sanitize(&self.request.subject);
        let keys: Vec<String> = self
            .strange
            .iter()
            .filter(|(_, gap)| gap.is_spelling())
            .map(|(condition, _)| words::right_key(condition, &self.request))
            .collect();
        let keys = keys.join(", and ");
        let asks = format!(
            "{place} was put there to keep callers out, so ask its author. If this pod is not to be kept out, let its \
             conditions except {subject}."
        );
        let instead = match (self.is_misspelt, self.strange.is_empty(), keys.as_str()) {
            (_, true, _) => asks,
            (true, ..) => format!(
                "In {place}, write {keys}. It then denies whom its author meant, and not this call; let its author \
                 see it."
            ),
            (false, false, "") => format!(
                "{asks} A condition on a key that is not this cluster's denies all its tokens or none; a Principal \
                 Federated of the provider that is meant keeps the statement to that provider's tokens."
            ),
            (false, false, keys) => {
                format!("In {place}, write {keys}; it then still denies this call, so ask its author. {asks}")
            }
        };
        by_hand(&self.request.role, &[], &instead)
    }

    fn evidence(&self) -> Evidence {
        let met: Vec<String> = self.conditions().map(|element| words::element(&element.kind)).collect();
        Evidence::new()
            .value("statement", format!("Statement[{}]", self.statement))
            .text_if("sid", self.sid.as_deref())
            .texts("conditions", &met)
            .and(call(&self.request))
    }
}

/// An element that cannot be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenStatement {
    /// The statement's place, counted from 0.
    pub statement: usize,
    /// Its id, if it has one.
    pub sid: Option<String>,
    /// What the statement does where it matches.
    pub effect: Effect,
    /// The element.
    pub element: ElementResult,
}

impl OpenStatement {
    fn cause(&self) -> String {
        let place = words::statement(self.statement, self.sid.as_deref());
        let what = words::element(&self.element.kind);
        let wanted = words::values(&self.element.expected);
        let does = match self.effect {
            Effect::Allow => "allows",
            Effect::Deny => "denies",
        };
        let why = match (&self.element.kind, &self.element.actual) {
            (ElementKind::Condition { .. }, KeyValue::Unknown(why)) => (*why).to_owned(),
            (ElementKind::Condition { .. }, _) if self.has_variable("${") => {
                "what its variables stand for is not known".to_owned()
            }
            (ElementKind::Condition { .. }, had) => {
                format!("the call has {}, and what IAM makes of both is not documented", words::known(had))
            }
            (ElementKind::Principal | ElementKind::Action(_), _) => {
                "what IAM makes of that is not documented".to_owned()
            }
        };
        format!("{place} {does} the call if {what} ({wanted}) fits, and that is not known: {why}.")
    }

    /// Whether a value names a variable, in any case, that begins so.
    fn has_variable(&self, start: &str) -> bool {
        self.element.expected.iter().any(|wanted| wanted.to_ascii_lowercase().contains(start))
    }

    /// Where the missing fact is found, if it is a fact of the call.
    fn lookup(&self) -> Option<String> {
        let ElementKind::Condition { key, .. } = &self.element.kind else { return None };
        let key_small = if self.has_variable("${sts:rolesessionname") {
            "sts:rolesessionname".to_owned()
        } else {
            key.to_ascii_lowercase()
        };
        if !matches!(self.element.actual, KeyValue::Unknown(_)) && key_small == key.to_ascii_lowercase() {
            return None;
        }
        Some(match key_small.as_str() {
            "sts:rolesessionname" => "The session's name is in the report of irsa-probe in the pod; give that report \
                                      to the audit."
                .to_owned(),
            "aws:currenttime" | "aws:epochtime" => {
                "When the call was made is in the report of irsa-probe in the pod; give that report to the audit."
                    .to_owned()
            }
            key_small if key_small.starts_with("aws:source") || key_small.starts_with("aws:vpc") => format!(
                "{} is where the call comes from: see sourceIPAddress and vpcEndpointId in CloudTrail's events \
                 AssumeRoleWithWebIdentity of the account.",
                sanitize(key)
            ),
            _ => return None,
        })
    }
}

/// Whether the policy gives the role cannot be told.
#[derive(Debug, Clone)]
pub struct TrustUndecidable {
    /// The call.
    pub request: Request,
    /// What is open, in the order of the statements.
    pub open: Vec<OpenStatement>,
}

impl Entry for TrustUndecidable {
    fn cause(&self) -> String {
        let told: Vec<String> = self.open.iter().take(TOLD).map(OpenStatement::cause).collect();
        let more = self.open.len().saturating_sub(TOLD);
        let more = if more > 0 { format!(" {more} more are open.") } else { String::new() };
        format!("The policy alone does not decide it. {}{more}", told.join(" "))
    }

    fn remedy(&self) -> Vec<String> {
        let mut steps: Vec<String> = Vec::new();
        for step in self.open.iter().filter_map(OpenStatement::lookup) {
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
        let of = |effect: Effect| {
            let those = self.open.iter().filter(move |open| open.effect == effect).take(TOLD);
            let mut named: Vec<String> = Vec::new();
            for open in those {
                let place = words::statement(open.statement, open.sid.as_deref());
                let what = format!("{} in {place}", words::element(&open.element.kind));
                if !named.contains(&what) {
                    named.push(what);
                }
            }
            named.join(", ")
        };
        let (denying, allowing) = (of(Effect::Deny), of(Effect::Allow));
        let instead = match (denying.as_str(), allowing.as_str()) {
            ("", allowing) => format!(
                "Ask whoever wrote {allowing} whom it is to keep out. If that is not this pod, give the pod a \
                 statement of its own without it."
            ),
            (denying, _) => format!(
                "Ask whoever wrote {denying} whether it is to deny this pod. If it is not, have it except {}: no \
                 statement that allows undoes a denial, so a statement of the pod's own does not help.",
                sanitize(&self.request.subject)
            ),
        };
        steps.extend(by_hand(&self.request.role, &[], &instead));
        steps
    }

    fn evidence(&self) -> Evidence {
        let evidence = self.open.first().map_or_else(Evidence::new, |open| {
            laid_beside(open.statement, open.sid.as_deref(), &open.element)
        });
        let others: Vec<String> =
            self.open.iter().skip(1).map(|open| words::element(&open.element.kind)).collect();
        let evidence = if others.is_empty() { evidence } else { evidence.texts("also", &others) };
        evidence.and(call(&self.request))
    }
}

/// The document is none that IAM would store.
#[derive(Debug, Clone)]
pub struct TrustPolicyMalformed {
    /// The role.
    pub role: RoleArn,
    /// What is wrong, and where.
    pub malformed: PolicyError,
}

impl Entry for TrustPolicyMalformed {
    fn cause(&self) -> String {
        format!(
            "This is no trust policy that IAM would store, so it says nothing of the token: {}.",
            sanitize(&self.malformed.to_string())
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            format!(
                "See what the role has; whatever that command prints can be audited as it is:\n{}",
                show_trust_policy(&self.role)
            ),
            "If the document is one that is yet to be put in place, correct it and audit it again."
                .to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text_if("place", Some(self.malformed.place.as_str()).filter(|place| !place.is_empty()))
            .text("fault", &self.malformed.to_string())
            .text("role_arn", &self.role.text)
    }
}

/// The role is given to others than the policy names.
#[derive(Debug, Clone)]
pub struct TrustTooWide {
    /// The call.
    pub request: Request,
    /// The place of the statement that lets them in, counted from 0.
    pub statement: usize,
    /// Its id, if it has one.
    pub sid: Option<String>,
    /// Whom it lets in.
    pub reach: Reach,
    /// Its conditions on the subject.
    pub subjects: Vec<Condition>,
    /// Its conditions on the subject of other issuers' tokens, which hold for this one, and how each key differs.
    pub strange: Vec<(Condition, IssuerDifference)>,
}

impl Entry for TrustTooWide {
    fn cause(&self) -> String {
        let conditions: Vec<String> = self
            .subjects
            .iter()
            .take(TOLD)
            .map(|it| format!("{} {}", sanitize(&it.operator), words::values(&it.values)))
            .collect();
        let conditions = conditions.join(" and ");
        let is_negated = |it: &Condition| Operator::parse(&it.operator).is_some_and(Operator::is_negated);
        let is_wild = |value: &&String| value.contains(['*', '?']);
        let patterns = self.subjects.iter().filter(|it| !is_negated(it)).flat_map(|it| &it.values);
        let patterns: Vec<String> = patterns.filter(is_wild).cloned().collect();
        let role = sanitize(&self.request.role.text);
        let place = words::statement(self.statement, self.sid.as_deref());
        let whom = match self.reach {
            Reach::Providers => format!(
                "anyone with a web identity: its Principal has AWS \"*\", and no condition holds only for tokens of \
                 this cluster. A token of any OIDC provider of account {} may have it, and one of the public ones \
                 (Google, Facebook, Login with Amazon, Amazon Cognito)",
                self.request.role.account
            ),
            Reach::Namespace | Reach::Namespaces => {
                format!("{}: they meet {conditions}", words::whom(&patterns))
            }
            Reach::Cluster if self.subjects.is_empty() && self.strange.is_empty() => {
                "every service account of the cluster: it has no condition on the subject".to_owned()
            }
            Reach::Cluster if self.subjects.is_empty() => {
                "every service account of the cluster: it has no condition on the subject of its tokens"
                    .to_owned()
            }
            Reach::Cluster if self.subjects.iter().any(is_negated) => {
                format!("every service account of the cluster but those that {conditions} keeps out")
            }
            Reach::Cluster => {
                format!("every service account of the cluster: all of them meet {conditions}")
            }
        };
        let strange = told_strange(&self.strange, &self.request);
        let may = match self.reach {
            Reach::Providers => String::new(),
            Reach::Namespace | Reach::Namespaces => {
                format!(" Whoever may create pods in such a namespace can have {role}.")
            }
            Reach::Cluster => format!(" Whoever may create pods there can have {role}."),
        };
        format!("{place} gives the role to {whom}.{strange}{may}")
    }

    fn remedy(&self) -> Vec<String> {
        // The policy's own language: written as JSON, with what looks like a variable made plain.
        let key = format!("{}:sub", self.request.provider());
        let condition = serde_json::json!({"StringEquals": {key: literal(&self.request.subject)}});
        let role = &self.request.role;
        let strange: Vec<String> = self.strange.iter().map(|(it, _)| sanitize(&it.key)).collect();
        let instead = if strange.is_empty() {
            String::new()
        } else {
            format!(", in place of the condition on {}", strange.join(", "))
        };
        let mut steps = vec![
            "Find out who else has the role by this statement: CloudTrail's events AssumeRoleWithWebIdentity name \
             the subject as userIdentity.userName."
                .to_owned(),
            format!("In account {}, look at the role's trust policy:\n{}", role.account, show_trust_policy(role)),
            format!(
                "Let the statement name its subjects, this one and those that you found{instead}:\n{}",
                escape_json(&condition.to_string())
            ),
        ];
        if self.reach == Reach::Providers {
            steps.push(format!(
                "Let its Principal be Federated {}; who comes with credentials of AWS's and not with a token, has to \
                 have a statement of its own.",
                sanitize(&self.request.provider_arn())
            ));
        }
        steps.push(format!(
            "Save the whole corrected document as trust-policy.json, and put it in place:\n{}",
            update_trust_policy(role)
        ));
        steps
    }

    fn evidence(&self) -> Evidence {
        let subjects: Vec<String> =
            self.subjects.iter().map(|it| format!("{} {}", it.operator, it.values.join(" "))).collect();
        let strange: Vec<String> = self.strange.iter().map(|(it, _)| it.key.clone()).collect();
        Evidence::new()
            .value("statement", format!("Statement[{}]", self.statement))
            .text_if("sid", self.sid.as_deref())
            .value(
                "reach",
                match self.reach {
                    Reach::Namespace => "namespace",
                    Reach::Namespaces => "namespaces",
                    Reach::Cluster => "cluster",
                    Reach::Providers => "providers",
                },
            )
            .texts("subjects", &subjects)
            .texts("other_keys", &strange)
            .and(call(&self.request))
    }
}

/// What is found in a policy.
#[derive(Debug, Clone)]
pub enum TrustFindings {
    /// It gives the role.
    Allows {
        /// By this statement.
        statement: usize,
        /// With these reservations.
        warnings: Vec<Diagnosis>,
    },
    /// It does not, or that cannot be told.
    Refuses {
        /// Why.
        diagnosis: Diagnosis,
        /// What is wrong besides, each of another name.
        further: Vec<Diagnosis>,
    },
}

/// What is found in a text that is no policy.
#[must_use]
pub fn malformed(malformed: PolicyError, role: &RoleArn) -> Diagnosis {
    TrustPolicyMalformed { role: role.clone(), malformed }.into()
}

/// What is found in a policy: it is laid beside the call already, its near misses are named, it is corrected
/// where it can be, and whether the account has the token's OIDC provider may be known.
#[must_use]
pub fn judge(
    document: &Document,
    evaluation: &Evaluation,
    named: Vec<ExplainedRefusal>,
    request: &Request,
    corrected: Option<CorrectedPolicy>,
    has_provider: bool,
) -> TrustFindings {
    let sid = |index: usize| document.statements.get(index).and_then(|statement| statement.sid.clone());
    let is_allowed =
        || evaluation.statements.iter().any(|it| it.effect == Effect::Allow && it.truth() != Truth::False);
    let wide = too_wide(document, request).map(Diagnosis::from);
    let (diagnosis, mut further) = match &evaluation.decision {
        Decision::Allows(index) => {
            return TrustFindings::Allows { statement: *index, warnings: wide.into_iter().collect() };
        }
        Decision::Refuses => {
            let notes = || notes(document, evaluation, &named, request);
            let mend = mend(document, request, corrected).unwrap_or_else(|| Fix::ByHand(notes()));
            refused(named, request, mend, has_provider, sid)
        }
        Decision::Denies(index) => {
            let elements =
                evaluation.statements.get(*index).map(|it| it.elements.clone()).unwrap_or_default();
            let denied = TrustDenied {
                request: request.clone(),
                statement: *index,
                sid: sid(*index),
                elements,
                strange: document
                    .statements
                    .get(*index)
                    .map(|statement| strange(statement, request))
                    .unwrap_or_default(),
                is_misspelt: is_misspelt(document, *index, request),
            };
            // Without the denial it would still be refused.
            let besides = match is_allowed() {
                true => Vec::new(),
                false => {
                    let (first, rest) = refused(named, request, Fix::ByHand(Vec::new()), has_provider, sid);
                    [vec![first], rest].concat()
                }
            };
            (denied.into(), besides)
        }
        Decision::Undecidable(statements) => {
            let open = statements
                .iter()
                .filter_map(|index| Some((*index, evaluation.statements.get(*index)?)))
                .flat_map(|(index, it)| open_in(document, index, it));
            (TrustUndecidable { request: request.clone(), open: open.collect() }.into(), Vec::new())
        }
    };
    further.extend(wide);
    TrustFindings::Refuses { diagnosis, further }
}

/// What else keeps the call out, or may, beside the statement that is nearest.
fn notes(
    document: &Document,
    evaluation: &Evaluation,
    named: &[ExplainedRefusal],
    request: &Request,
) -> Vec<String> {
    let sid = |index: usize| document.statements.get(index).and_then(|it| it.sid.clone());
    let nearest = named.first().map(|named| named.statement);
    let excluding = exclusions(document, evaluation, request);
    let excluding = excluding.iter().filter(|named| Some(named.statement) != nearest).map(|named| {
        format!(
            "{} would give the role but for {}, which rules out this call: ask whoever wrote that whom it is to keep \
             out, and go on only if it is not this pod.",
            words::statement(named.statement, sid(named.statement).as_deref()),
            words::element(&named.element.kind)
        )
    });
    let open = may_deny(document, evaluation);
    let denying = open.iter().map(|open| {
        format!(
            "{} Mended or not, the policy may still refuse by that, and no statement that allows undoes a denial.",
            open.cause()
        )
    });
    excluding.chain(denying).take(TOLD).collect()
}

/// What is open of the statements that may deny.
fn may_deny(document: &Document, evaluation: &Evaluation) -> Vec<OpenStatement> {
    let statements = evaluation.statements.iter().enumerate();
    let denying = statements.filter(|(_, it)| it.effect == Effect::Deny && it.truth() == Truth::Unknown);
    denying.flat_map(|(index, it)| open_in(document, index, it)).collect()
}

/// What is open of a statement.
fn open_in<'a>(
    document: &'a Document,
    index: usize,
    matched: &'a StatementResult,
) -> impl Iterator<Item = OpenStatement> + 'a {
    matched.undecided().map(move |element| OpenStatement {
        statement: index,
        sid: document.statements.get(index).and_then(|statement| statement.sid.clone()),
        effect: matched.effect,
        element: element.clone(),
    })
}

fn mend(document: &Document, request: &Request, corrected: Option<CorrectedPolicy>) -> Option<Fix> {
    let corrected = corrected?;
    let wider = match corrected.kind {
        CorrectionKind::InPlace(index) => wider_by(document, &corrected, index, request).unwrap_or_default(),
        CorrectionKind::Added => Vec::new(),
    };
    Some(Fix::By(corrected, wider))
}

/// The patterns of a corrected statement, if it lets in more by them than before.
fn wider_by(
    document: &Document,
    corrected: &CorrectedPolicy,
    index: usize,
    request: &Request,
) -> Option<Vec<String>> {
    let after = document::read(&corrected.document).ok()?;
    let (before, statement) = (document.statements.get(index)?, after.statements.get(index)?);
    let is_wider = reach_of(&after, statement, request) > reach_of(document, before, request);
    let patterns = subject_patterns(statement, request).map(|(_, value)| value.to_owned());
    is_wider.then(|| patterns.collect())
}

/// A diagnosis for each kind of slip, in the order in which the first of each is met.
fn refused(
    named: Vec<ExplainedRefusal>,
    request: &Request,
    mend: Fix,
    has_provider: bool,
    sid: impl Fn(usize) -> Option<String>,
) -> (Diagnosis, Vec<Diagnosis>) {
    let mut kinds: Vec<(Name, MismatchAt, Vec<MismatchAt>)> = Vec::new();
    for ExplainedRefusal { statement, element, mismatch: miss } in named {
        let name = name(&miss);
        let slip = MismatchAt { statement, sid: sid(statement), element, miss };
        match kinds.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, _, others)) => others.push(slip),
            None => kinds.push((name, slip, Vec::new())),
        }
    }
    let diagnosis = |first, others, mend| {
        entry(RefusingStatement { request: request.clone(), first, others, mend, has_provider })
    };
    let mut kinds = kinds.into_iter();
    let Some((main, first, others)) = kinds.next() else {
        return (
            TrustActionMissing::None(Box::new(NothingAllowed { request: request.clone(), mend })).into(),
            Vec::new(),
        );
    };
    let besides = match mend {
        Fix::By(..) | Fix::With(_) => Fix::With(main),
        Fix::ByHand(_) => Fix::ByHand(Vec::new()),
    };
    let further = kinds.map(|(_, first, others)| diagnosis(first, others, besides.clone())).collect();
    (diagnosis(first, others, mend), further)
}

/// The name of a near miss.
#[must_use]
pub fn name(miss: &Mismatch) -> Name {
    match miss {
        Mismatch::Subject(_) => Name::TrustSubjectMismatch,
        Mismatch::SubjectWildcard { .. } => Name::TrustSubjectWildcard,
        Mismatch::Audience => Name::TrustAudienceMismatch,
        Mismatch::Issuer(_) => Name::TrustIssuerMismatch,
        Mismatch::Account(_) => Name::TrustAccountMismatch,
        Mismatch::Partition(_) => Name::TrustPartitionMismatch,
        Mismatch::Principal(_) => Name::TrustPrincipalWrong,
        Mismatch::Action => Name::TrustActionMissing,
        Mismatch::KeySwapped { .. } => Name::TrustKeySwapped,
        Mismatch::Other => Name::TrustConditionUnmet,
    }
}

fn entry(refusing: RefusingStatement) -> Diagnosis {
    match refusing.first.miss {
        Mismatch::Subject(_) => TrustSubjectMismatch(refusing).into(),
        Mismatch::SubjectWildcard { .. } => TrustSubjectWildcard(refusing).into(),
        Mismatch::Audience => TrustAudienceMismatch(refusing).into(),
        Mismatch::Issuer(_) => TrustIssuerMismatch(refusing).into(),
        Mismatch::Account(_) => TrustAccountMismatch(refusing).into(),
        Mismatch::Partition(_) => TrustPartitionMismatch(refusing).into(),
        Mismatch::Principal(_) => TrustPrincipalWrong(refusing).into(),
        Mismatch::Action => TrustActionMissing::Others(Box::new(refusing)).into(),
        Mismatch::KeySwapped { .. } => TrustKeySwapped(refusing).into(),
        Mismatch::Other => TrustConditionUnmet(refusing).into(),
    }
}

/// The statement that lets in service accounts of any namespace, or of those that fit a pattern, if there is
/// one: the widest.
fn too_wide(document: &Document, request: &Request) -> Option<TrustTooWide> {
    let is_wide = |reach: &Reach| *reach > Reach::Namespace;
    reach(document, request).filter(is_wide)?;
    let each = document.statements.iter().enumerate();
    let wide = each.filter_map(|(index, statement)| {
        reach_of(document, statement, request).filter(is_wide).map(|reach| (reach, index, statement))
    });
    let (reach, index, statement) = wide.rev().max_by_key(|(reach, ..)| *reach)?;
    let key = format!("{}:sub", request.provider());
    let subjects = statement.conditions.iter().filter(|condition| condition.key.eq_ignore_ascii_case(&key));
    let is_subject = |condition: &Condition| words::claim(condition).eq_ignore_ascii_case("sub");
    let strange = strange(statement, request).into_iter().filter(|(condition, _)| is_subject(condition));
    Some(TrustTooWide {
        request: request.clone(),
        statement: index,
        sid: statement.sid.clone(),
        reach,
        subjects: subjects.cloned().collect(),
        strange: strange.collect(),
    })
}

/// The conditions of a statement on the subject or the audience of other issuers' tokens, and how their keys
/// differ from those of this one.
fn strange(statement: &Statement, request: &Request) -> Vec<(Condition, IssuerDifference)> {
    let gap = |condition: &Condition| {
        let (provider, claim) = condition.key.rsplit_once(':')?;
        let is_claim = ["sub", "aud"].iter().any(|known| known.eq_ignore_ascii_case(claim));
        let is_strange = is_claim
            && request.value_of(&condition.key) == KeyValue::Absent
            && !provider.eq_ignore_ascii_case(request.provider());
        is_strange.then(|| mismatch::issuer_difference(provider, request.provider()))
    };
    statement.conditions.iter().filter_map(|it| Some((it.clone(), gap(it)?))).collect()
}

/// Whether a statement no longer denies once its misspelt keys are put right.
fn is_misspelt(document: &Document, index: usize, request: &Request) -> bool {
    let mut right = document.clone();
    let Some(statement) = right.statements.get_mut(index) else { return false };
    let misspelt = strange(statement, request);
    for condition in &mut statement.conditions {
        if misspelt.iter().any(|(it, gap)| gap.is_spelling() && it == condition) {
            condition.key = format!("{}:{}", request.provider(), words::claim(condition));
        }
    }
    let matched = evaluate(&right, request);
    matched.statements.get(index).is_some_and(|matched| matched.truth() == Truth::False)
}
