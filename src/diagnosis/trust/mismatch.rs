//! The nearest statement of the policy does not match the call.

use super::remedy::{Caution, ask_author, edit_policy, replace_policy, use_public_issuer};
use super::{
    MAX_NAMED, OpenPolicy, StatementId, call_evidence, difference, element_evidence, subject, words,
};
use crate::diagnosis::aws_cli::commands;
use crate::diagnosis::{Diagnosis, Entry, Name};
use crate::evidence::Evidence;
use crate::text::{list, sanitize};
use iam_trust::correct::{CorrectedPolicy, CorrectionKind, Uncorrected};
use iam_trust::evaluate::ElementKind;
use iam_trust::issuer::is_private;
use iam_trust::mismatch::{ExplainedRefusal, Mismatch, SubjectDifference};
use iam_trust::request::{ACTION, Request};

/// How the policy can be corrected.
#[derive(Debug, Clone)]
pub(crate) enum Fix {
    Replace {
        policy: CorrectedPolicy,
        /// The patterns through which the corrected statement lets in others that it kept out before.
        patterns: Vec<String>,
        /// What can still keep the call out.
        cautions: Vec<Caution>,
    },
    /// The corrected document that this diagnosis prints replaces it.
    SeeDiagnosis(Name),
    /// A person must edit it, and must know this first.
    Edit {
        cautions: Vec<Caution>,
        /// Why there is no corrected document.
        why: Option<Uncorrected>,
    },
}

/// The mismatches of one kind in the statement that is nearest to allowing the call.
#[derive(Debug, Clone)]
pub struct RefusingStatement {
    pub(crate) request: Request,
    pub(crate) statement: StatementId,
    /// The first mismatch of this kind.
    pub(crate) first: ExplainedRefusal,
    pub(crate) others: Vec<ExplainedRefusal>,
    pub(crate) fix: Fix,
    /// Whether the account is known to have the token's OIDC provider.
    pub(crate) has_provider: bool,
}

impl RefusingStatement {
    fn cause(&self) -> String {
        if let Some(cause) = self.several_issuers() {
            return cause;
        }
        let first = &self.first.mismatch;
        let is_same =
            |other: &&ExplainedRefusal| matches!(first, Mismatch::Issuer(_)) && other.mismatch == *first;
        let (same, different): (Vec<&ExplainedRefusal>, Vec<&ExplainedRefusal>) =
            self.others.iter().partition(is_same);
        let named = std::iter::once(&self.first).chain(different.iter().copied()).take(MAX_NAMED);
        let place = self.statement.words();
        let mut sentences: Vec<String> = named
            .map(|refusal| format!("{place} refuses: {}.", difference::words(refusal, &self.request)))
            .collect();
        let more = (1 + different.len()).saturating_sub(MAX_NAMED);
        if more > 0 {
            sentences.push(format!("There are {more} more of this kind."));
        }
        if !same.is_empty() {
            let places: Vec<String> =
                same.iter().map(|refusal| words::element(&refusal.element.kind)).collect();
            sentences.push(format!("The same is wrong with {}.", list(&places, MAX_NAMED)));
        }
        sentences.join(" ")
    }

    /// The cause if the statement asks for the claims of several OIDC providers at once.
    fn several_issuers(&self) -> Option<String> {
        let Fix::Replace { policy: CorrectedPolicy { kind: CorrectionKind::Split(_), .. }, .. } = &self.fix
        else {
            return None;
        };
        Some(format!(
            "{} lists several OIDC providers, and {} is about the tokens of another one than this token's. All \
             conditions of a statement must hold, and a token has one issuer: no token meets this statement.",
            self.statement.words(),
            words::element(&self.first.element.kind)
        ))
    }

    fn evidence(&self) -> Evidence {
        let others: Vec<String> =
            self.others.iter().map(|refusal| words::element(&refusal.element.kind)).collect();
        element_evidence(&self.statement, &self.first.element)
            .text_if("gap", difference::name(&self.first.mismatch))
            .texts_if_any("also", &others)
            .merge(call_evidence(&self.request))
    }

    /// The steps: replace the policy if it could be corrected, else make this `change` by hand.
    fn remedy(&self, before: Vec<String>, change: &str, after: Vec<String>) -> Vec<String> {
        if is_private(&self.request.issuer) {
            return use_public_issuer(&self.request.issuer);
        }
        let role = &self.request.role;
        let fix = match &self.fix {
            Fix::Replace { policy, patterns, cautions } => {
                vec![replace_policy(policy, patterns, cautions, role)]
            }
            Fix::SeeDiagnosis(name) => {
                vec![format!("The corrected policy under {} corrects this, too.", name.as_str())]
            }
            Fix::Edit { cautions, why } => edit_policy(role, cautions, why.as_ref(), change),
        };
        [before, fix, after].concat()
    }

    /// The first element in a sentence, with its statement.
    fn element(&self) -> String {
        format!("{} in {}", self.first.element.kind, self.statement.words())
    }

    /// The change by hand that names the token's issuer.
    fn name_issuer(&self) -> String {
        format!("Write {} in its place.", self.expected_issuer())
    }

    /// The provider or the key that names the token's issuer.
    fn expected_issuer(&self) -> String {
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

    /// The steps that make sure that the token's OIDC provider exists, unless it is known to.
    fn ensure_provider(&self) -> Vec<String> {
        if self.has_provider {
            return Vec::new();
        }
        let commands = commands(&self.request);
        let steps = vec![
            format!(
                "See that account {} has the token's OIDC provider:\n{}",
                self.request.role.account, commands.show_oidc_provider
            ),
            format!("If it does not, create it:\n{}", commands.create_oidc_provider),
        ];
        // Where the policy takes two steps, those of OidcProviderMissing are left to its page.
        let few = if matches!(self.fix, Fix::Edit { .. }) { 1 } else { 2 };
        steps.into_iter().take(few).collect()
    }
}

wordings! { RefusingStatement:
    /// A condition expects another subject.
    TrustSubjectMismatch;
    |refusing| refusing.cause();
    |refusing| {
        let subject = sanitize(&refusing.request.subject);
        if refusing.first.mismatch == Mismatch::Subject(SubjectDifference::Excluded) {
            let change = ask_author(&refusing.element(), &format!("have it except {subject}"));
            return refusing.remedy(Vec::new(), &change, Vec::new());
        }
        let change = format!("Let the condition on the subject have {subject}, beside what else is meant.");
        let in_policy = refusing.remedy(Vec::new(), &change, Vec::new());
        subject::remedy(&refusing.request, &refusing.first.element.expected, in_policy)
    };

    /// A pattern is under an operator that takes it for plain text.
    TrustSubjectWildcard;
    |refusing| refusing.cause();
    |refusing| {
        let like = match &refusing.first.mismatch {
            Mismatch::SubjectWildcard { operator } => operator.as_str(),
            _ => "StringLike",
        };
        let stays = "The statement with the pattern stays as it was, since it compares other values, too, or capital \
                     letters in its own way. If the pattern itself is meant, its author has to put it under \
                     StringLike in a statement of its own.";
        let after = match &refusing.fix {
            Fix::Replace { policy: CorrectedPolicy { kind: CorrectionKind::Copied(_), .. }, .. } => vec![stays.to_owned()],
            Fix::Replace { .. } | Fix::SeeDiagnosis(_) | Fix::Edit { .. } => Vec::new(),
        };
        refusing.remedy(Vec::new(), &format!("Put the pattern for the subject under {}.", sanitize(like)), after)
    };

    /// A condition expects another audience.
    TrustAudienceMismatch;
    |refusing| refusing.cause();
    |refusing| {
        if refusing.first.is_exclusion() {
            return refusing.remedy(Vec::new(), &ask_author(&refusing.element(), "take the token's audience from it"), Vec::new());
        }
        let audience = words::values(&refusing.request.audience);
        let change = match refusing.request.audience.len() {
            0 => "Give the pod a token with an audience.".to_owned(),
            1 => format!("Let the condition on the audience have {audience}."),
            _ => "Put the condition on the audience under ForAnyValue:StringEquals, or give the pod a token with one \
                  audience.".to_owned(),
        };
        refusing.remedy(Vec::new(), &change, vec![
            "If it is the token that is wrong, set or remove the service account's annotation \
             eks.amazonaws.com/audience, and recreate the pod.".to_owned(),
        ])
    };

    /// The statement names another issuer, or misspells this one.
    TrustIssuerMismatch;
    |refusing| refusing.cause();
    |refusing| {
        let change = refusing.name_issuer();
        let is_provider = refusing.first.element.kind == ElementKind::Principal;
        refusing.remedy(if is_provider { refusing.ensure_provider() } else { Vec::new() }, &change, Vec::new())
    };

    /// The OIDC provider is in another account.
    TrustAccountMismatch;
    |refusing| refusing.cause();
    |refusing| {
        let change = refusing.name_issuer();
        refusing.remedy(refusing.ensure_provider(), &change, Vec::new())
    };

    /// The OIDC provider is in another partition.
    TrustPartitionMismatch;
    |refusing| refusing.cause();
    |refusing| {
        let change = refusing.name_issuer();
        refusing.remedy(refusing.ensure_provider(), &change, Vec::new())
    };

    /// The principal is not an OIDC provider.
    TrustPrincipalWrong;
    |refusing| refusing.cause();
    |refusing| {
        let change =
            format!("Add a statement for this token, with the Principal {}.", refusing.expected_issuer());
        refusing.remedy(refusing.ensure_provider(), &change, Vec::new())
    };

    /// The key is about one claim, and its value belongs to another.
    TrustKeySwapped;
    |refusing| refusing.cause();
    |refusing| {
        let meant = match refusing.first.mismatch {
            Mismatch::KeySwapped { meant, .. } => meant,
            _ => "sub",
        };
        let key = format!("{}:{meant}", refusing.request.provider());
        refusing.remedy(Vec::new(), &format!("Write the key {} in its place.", sanitize(&key)), Vec::new())
    };
}

/// A condition on something other than the subject and the audience is not met.
#[derive(Debug, Clone)]
pub enum TrustConditionUnmet {
    /// The call does not meet it.
    Refusing(Box<RefusingStatement>),
    /// STS refused the call, and nothing but conditions that cannot be decided explains it.
    Reported(Box<OpenPolicy>),
}

impl Entry for TrustConditionUnmet {
    fn cause(&self) -> String {
        match self {
            Self::Refusing(refusing) => refusing.cause(),
            Self::Reported(open) => open.cause(),
        }
    }

    fn remedy(&self) -> Vec<String> {
        match self {
            Self::Refusing(refusing)
                if difference::is_of_issuer(&refusing.first.element, &refusing.request) =>
            {
                let change = format!(
                    "Remove {} from {}. No call can meet it, and the Principal says the issuer already.",
                    refusing.first.element.kind,
                    refusing.statement.words()
                );
                edit_policy(&refusing.request.role, &[], None, &change)
            }
            Self::Refusing(refusing) => {
                let change =
                    ask_author(&refusing.element(), "give the pod a statement of its own without it");
                refusing.remedy(Vec::new(), &change, Vec::new())
            }
            Self::Reported(open) => open.remedy(),
        }
    }

    fn evidence(&self) -> Evidence {
        match self {
            Self::Refusing(refusing) => refusing.evidence(),
            Self::Reported(open) => open.evidence(),
        }
    }
}

/// No statement allows `sts:AssumeRoleWithWebIdentity`.
#[derive(Debug, Clone)]
pub enum TrustActionMissing {
    /// The nearest statement is about other actions.
    OtherActions(Box<RefusingStatement>),
    /// No statement allows anything.
    NothingAllowed(Box<NothingAllowed>),
}

/// A policy without a statement that allows anything.
#[derive(Debug, Clone)]
pub struct NothingAllowed {
    pub(crate) request: Request,
    pub(crate) fix: Fix,
}

impl Entry for TrustActionMissing {
    fn cause(&self) -> String {
        match self {
            Self::OtherActions(refusing) => refusing.cause(),
            Self::NothingAllowed(_) => format!(
                "The policy has no statement that allows anything, and what is not allowed is refused: {ACTION} too."
            ),
        }
    }

    fn remedy(&self) -> Vec<String> {
        match self {
            Self::OtherActions(refusing) => {
                let change = if refusing.first.is_exclusion() {
                    ask_author(&refusing.element(), &format!("take {ACTION} from it"))
                } else {
                    format!("Let the statement be about {ACTION} too.")
                };
                refusing.remedy(Vec::new(), &change, Vec::new())
            }
            Self::NothingAllowed(nothing) => {
                let request = &nothing.request;
                if is_private(&request.issuer) {
                    return use_public_issuer(&request.issuer);
                }
                let change = format!(
                    "Add a statement that allows {ACTION} to the Principal Federated {}.",
                    sanitize(&request.provider_arn())
                );
                match &nothing.fix {
                    Fix::Replace { policy, patterns, cautions } => {
                        vec![replace_policy(policy, patterns, cautions, &request.role)]
                    }
                    Fix::SeeDiagnosis(_) => edit_policy(&request.role, &[], None, &change),
                    Fix::Edit { cautions, why } => {
                        edit_policy(&request.role, cautions, why.as_ref(), &change)
                    }
                }
            }
        }
    }

    fn evidence(&self) -> Evidence {
        match self {
            Self::OtherActions(refusing) => refusing.evidence(),
            Self::NothingAllowed(nothing) => call_evidence(&nothing.request),
        }
    }
}

impl From<RefusingStatement> for Diagnosis {
    fn from(refusing: RefusingStatement) -> Self {
        match refusing.first.mismatch {
            Mismatch::Subject(_) => TrustSubjectMismatch(refusing).into(),
            Mismatch::SubjectWildcard { .. } => TrustSubjectWildcard(refusing).into(),
            Mismatch::Audience => TrustAudienceMismatch(refusing).into(),
            Mismatch::Issuer(_) => TrustIssuerMismatch(refusing).into(),
            Mismatch::Account(_) => TrustAccountMismatch(refusing).into(),
            Mismatch::Partition(_) => TrustPartitionMismatch(refusing).into(),
            Mismatch::Principal(_) => TrustPrincipalWrong(refusing).into(),
            Mismatch::Action => TrustActionMissing::OtherActions(Box::new(refusing)).into(),
            Mismatch::KeySwapped { .. } => TrustKeySwapped(refusing).into(),
            Mismatch::Other => TrustConditionUnmet::Refusing(Box::new(refusing)).into(),
        }
    }
}
