//! Decides which diagnoses the evaluation of a trust policy comes to.

use std::mem::discriminant;

use crate::audit::Findings;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::trust::{
    Caution, Fix, ForeignCondition, NothingAllowed, OpenElement, OpenPolicy, RefusingStatement, StatementId,
    StsAnswer, TrustActionMissing, TrustDenied, TrustTooWide,
};
use crate::evidence::{Evidence, HasEvidence};
use crate::run::Verdict;
use iam_trust::condition::Truth;
use iam_trust::correct::{CorrectedPolicy, Uncorrected};
use iam_trust::document::{self, Document, Effect, Statement};
use iam_trust::evaluate::{Decision, Evaluation, evaluate};
use iam_trust::mismatch::{ExplainedRefusal, exclusions, issuer_difference};
use iam_trust::reach::{Reach, reach, reach_of, subject_patterns};
use iam_trust::request::{KeyValue, Request};

/// The statement that gives the role to the token.
#[derive(Debug, Clone)]
pub struct AllowingStatement(StatementId);

impl HasEvidence for AllowingStatement {
    fn evidence(&self) -> Evidence {
        let StatementId { index, sid } = &self.0;
        Evidence::new().value("allowed_by", format!("Statement[{index}]")).text_if("sid", sid.as_deref())
    }
}

/// A policy, the call that it was evaluated for, and what the account is known to have.
pub(super) struct EvaluatedPolicy<'a> {
    pub(super) document: &'a Document,
    pub(super) evaluation: &'a Evaluation,
    pub(super) request: &'a Request,
    /// Whether the account is known to have the token's OIDC provider.
    pub(super) has_provider: bool,
}

impl EvaluatedPolicy<'_> {
    /// Judges the policy; `refusals` explain the nearest statement, and `corrected` is the policy that would allow
    /// the call.
    pub(super) fn judge(
        &self,
        refusals: Vec<ExplainedRefusal>,
        corrected: Result<CorrectedPolicy, Uncorrected>,
        answer: Option<StsAnswer>,
    ) -> Findings<AllowingStatement> {
        let too_wide = self.too_wide().map(Diagnosis::from);
        let (diagnosis, mut further) = match &self.evaluation.decision {
            Decision::Allows(index) => {
                let verdict = AllowingStatement(StatementId::at(self.document, *index));
                let verdict = Verdict::holds(verdict, too_wide.into_iter().collect());
                return Findings { verdict, others: Vec::new() };
            }
            Decision::Refuses => {
                let cautions = self.cautions(&refusals);
                let fix = match corrected {
                    Ok(policy) => {
                        Fix::Replace { patterns: self.widening_patterns(&policy), policy, cautions }
                    }
                    Err(why) => Fix::Edit { cautions, why: Some(why) },
                };
                self.refused(refusals, fix)
            }
            Decision::Denies(index) => {
                // Without the denial the call can still be refused.
                let further = if self.allowing().is_some() {
                    Vec::new()
                } else {
                    let (first, others) =
                        self.refused(refusals, Fix::Edit { cautions: Vec::new(), why: None });
                    [vec![first], others].concat()
                };
                (self.denied(*index).into(), further)
            }
            Decision::Undecidable(statements) => {
                let open = statements.iter().flat_map(|index| self.open_elements(*index)).collect();
                let is_accepted = answer == Some(StsAnswer::Accepted);
                let open = Diagnosis::from(OpenPolicy { request: self.request.clone(), open, answer });
                if let Some(index) = self.allowing().filter(|_| is_accepted) {
                    let verdict = AllowingStatement(StatementId::at(self.document, index));
                    let warnings = std::iter::once(open).chain(too_wide).collect();
                    return Findings { verdict: Verdict::Warn(verdict, warnings), others: Vec::new() };
                }
                (open, Vec::new())
            }
        };
        further.extend(too_wide);
        Findings { verdict: Verdict::Fail(diagnosis), others: further }
    }

    /// The statement that allows the call, or else the first that can allow it.
    fn allowing(&self) -> Option<usize> {
        let statements = self.evaluation.statements.iter().enumerate();
        let allowing = statements.filter(|(_, statement)| statement.effect == Effect::Allow);
        let by_truth = allowing.map(|(index, statement)| (statement.truth(), index));
        let likeliest = by_truth.rev().max_by_key(|(truth, _)| *truth);
        likeliest.filter(|(truth, _)| *truth != Truth::False).map(|(_, index)| index)
    }

    /// One diagnosis for each kind of mismatch, in the order of the first of each kind.
    fn refused(&self, refusals: Vec<ExplainedRefusal>, fix: Fix) -> (Diagnosis, Vec<Diagnosis>) {
        let mut kinds: Vec<(ExplainedRefusal, Vec<ExplainedRefusal>)> = Vec::new();
        for refusal in refusals {
            let kind = discriminant(&refusal.mismatch);
            match kinds.iter_mut().find(|(first, _)| discriminant(&first.mismatch) == kind) {
                Some((_, others)) => others.push(refusal),
                None => kinds.push((refusal, Vec::new())),
            }
        }
        let is_replaced = matches!(fix, Fix::Replace { .. });
        let mut kinds = kinds.into_iter();
        let Some((first, others)) = kinds.next() else {
            let nothing = NothingAllowed { request: self.request.clone(), fix };
            return (TrustActionMissing::NothingAllowed(Box::new(nothing)).into(), Vec::new());
        };
        let diagnosis = self.refusing(first, others, fix);
        let name = diagnosis.name();
        let further = kinds.map(|(first, others)| {
            let fix = if is_replaced {
                Fix::SeeDiagnosis(name)
            } else {
                Fix::Edit { cautions: Vec::new(), why: None }
            };
            self.refusing(first, others, fix)
        });
        let further = further.collect();
        (diagnosis, further)
    }

    fn refusing(&self, first: ExplainedRefusal, others: Vec<ExplainedRefusal>, fix: Fix) -> Diagnosis {
        let statement = StatementId::at(self.document, first.statement);
        let (request, has_provider) = (self.request.clone(), self.has_provider);
        RefusingStatement { request, statement, first, others, fix, has_provider }.into()
    }

    /// The patterns of the changed statements that let in more than the policy did before.
    fn widening_patterns(&self, corrected: &CorrectedPolicy) -> Vec<String> {
        let Ok(after) = document::read(&corrected.document) else { return Vec::new() };
        let (before, request) = (&self.document.statements, self.request);
        let reach_before =
            before.iter().filter_map(|statement| reach_of(self.document, statement, request)).max();
        let changed = after.statements.iter().filter(|statement| !before.contains(statement));
        let wider = changed.filter(|statement| reach_of(&after, statement, request) > reach_before);
        wider
            .flat_map(|statement| subject_patterns(statement, request))
            .map(|(_, value)| value.to_owned())
            .collect()
    }

    /// What keeps the call out, or can keep it out, beside the nearest statement.
    fn cautions(&self, refusals: &[ExplainedRefusal]) -> Vec<Caution> {
        let nearest = refusals.first().map(|refusal| refusal.statement);
        let exclusions = exclusions(self.document, self.evaluation, self.request).into_iter();
        let exclusions =
            exclusions.filter(|exclusion| Some(exclusion.statement) != nearest).map(|exclusion| {
                Caution::Excludes(StatementId::at(self.document, exclusion.statement), exclusion.element.kind)
            });
        let statements = self.evaluation.statements.iter().enumerate();
        let denials = statements
            .filter(|(_, statement)| statement.effect == Effect::Deny && statement.truth() == Truth::Unknown);
        let denials = denials.flat_map(|(index, _)| self.open_elements(index)).map(Caution::CanDeny);
        exclusions.chain(denials).collect()
    }

    /// The elements of a statement that could not be decided.
    fn open_elements(&self, index: usize) -> impl Iterator<Item = OpenElement> {
        let result = self.evaluation.statements.get(index).into_iter();
        result.flat_map(move |result| {
            result.undecided().map(move |element| OpenElement {
                statement: StatementId::at(self.document, index),
                effect: result.effect,
                element: element.clone(),
            })
        })
    }

    fn denied(&self, index: usize) -> TrustDenied {
        let result = self.evaluation.statements.get(index);
        let statement = self.document.statements.get(index);
        TrustDenied {
            request: self.request.clone(),
            statement: StatementId::at(self.document, index),
            elements: result.map(|result| result.elements.clone()).unwrap_or_default(),
            foreign: statement.map(|statement| self.foreign_conditions(statement)).unwrap_or_default(),
            is_misspelled: self.is_misspelled(index),
        }
    }

    /// Whether a statement stops denying the call once the misspelled keys of its conditions are corrected.
    fn is_misspelled(&self, index: usize) -> bool {
        let mut corrected = self.document.clone();
        let Some(statement) = corrected.statements.get_mut(index) else { return false };
        let foreign = self.foreign_conditions(statement);
        for condition in &mut statement.conditions {
            let misspelled = foreign
                .iter()
                .find(|foreign| foreign.difference.is_spelling() && foreign.condition == *condition);
            if let Some(foreign) = misspelled {
                condition.key = format!("{}:{}", self.request.provider(), foreign.claim());
            }
        }
        let evaluation = evaluate(&corrected, self.request);
        evaluation.statements.get(index).is_some_and(|result| result.truth() == Truth::False)
    }

    /// The widest statement that lets in service accounts of any namespace, or of namespaces that match a pattern.
    fn too_wide(&self) -> Option<TrustTooWide> {
        let (document, request) = (self.document, self.request);
        let is_wide = |reach: &Reach| *reach > Reach::Namespace;
        reach(document, request).filter(is_wide)?;
        let statements = document.statements.iter().enumerate();
        let wide = statements.filter_map(|(index, statement)| {
            reach_of(document, statement, request).filter(is_wide).map(|reach| (reach, index, statement))
        });
        let (reach, index, statement) = wide.rev().max_by_key(|(reach, ..)| *reach)?;
        let key = format!("{}:sub", request.provider());
        let subjects =
            statement.conditions.iter().filter(|condition| condition.key.eq_ignore_ascii_case(&key));
        let foreign = self.foreign_conditions(statement).into_iter();
        Some(TrustTooWide {
            request: request.clone(),
            statement: StatementId::at(document, index),
            reach,
            subjects: subjects.cloned().collect(),
            foreign: foreign.filter(|foreign| foreign.claim().eq_ignore_ascii_case("sub")).collect(),
        })
    }

    /// The conditions of a statement on the subject or the audience of another issuer's tokens.
    fn foreign_conditions(&self, statement: &Statement) -> Vec<ForeignCondition> {
        let difference = |key: &str| {
            let (provider, claim) = key.rsplit_once(':')?;
            let is_claim = ["sub", "aud"].iter().any(|known| known.eq_ignore_ascii_case(claim));
            let is_foreign = is_claim
                && self.request.value_of(key) == KeyValue::Absent
                && !provider.eq_ignore_ascii_case(self.request.provider());
            is_foreign.then(|| issuer_difference(provider, self.request.provider()))
        };
        let conditions = statement.conditions.iter();
        let foreign = conditions.filter_map(|condition| {
            let difference = difference(&condition.key)?;
            Some(ForeignCondition { condition: condition.clone(), difference })
        });
        foreign.collect()
    }
}
