//! Claims: statements of the paper, what was measured, and a verdict.
//!
//! The statements are data (`experiments/claims.toml`); the rule that measures one is code beside its experiment and
//! yields a [`Finding`]. The verdict follows from the finding's [`Evidence`] by the rules below, the same for all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::statistics::{CONFIDENCE, Estimate, holm};
use crate::{LabError, Table};

/// A statement of the paper, as `claims.toml` has it: `[[claim]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Its name: unique, stable, what a rule and a link refer to.
    pub id: String,
    /// The experiment that tests it; one that does not exist yet is named with the reason in [`missing`](Self::missing).
    pub experiment: String,
    /// The statement, in one sentence.
    pub statement: String,
    /// Where it is made: "Figure 5, right", "Theorem 2.1", "not in the paper".
    pub source: String,
    /// The value the paper reports; may be empty.
    #[serde(default)]
    pub paper: String,
    /// Whether the report shows it first.
    #[serde(default)]
    pub headline: bool,
    /// Why nothing tests it, if nothing does.
    pub missing: Option<String>,
}

/// The statements of a `claims.toml`, in its order.
///
/// # Errors
/// If it is not such a file, or an id occurs twice.
pub fn statements(text: &str) -> anyhow::Result<Vec<Statement>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        claim: Vec<Statement>,
    }
    let File { claim: statements } = toml::from_str(text)?;
    let mut ids = BTreeSet::new();
    match statements.iter().find(|statement| !ids.insert(&statement.id)) {
        Some(twice) => anyhow::bail!("the id {} occurs twice", twice.id),
        None => Ok(statements),
    }
}

/// What a rule found about a statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The statement's id.
    pub id: &'static str,
    /// Where, if the statement is tested in several places: "stsb, n = 16". Those of one id are a family of tests.
    pub case: String,
    /// The value the paper reports for this case, where the statement's is not it.
    pub paper: Option<String>,
    /// What was measured, in words.
    pub measured: String,
    /// What the verdict is made from.
    pub evidence: Evidence,
    /// What a reader must know beside it: failed trials, unequal training losses.
    pub note: String,
}

/// What a verdict is made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Evidence {
    /// A deterministic statement (a theorem, iterations of one instance), judged by the rule's stated tolerance.
    Exact {
        /// Whether it holds within the tolerance.
        holds: bool,
        /// Instances it was judged on.
        n: usize,
    },
    /// A statement about every trial: holds in all of them or differs.
    EveryTrial {
        /// Trials in which it holds.
        holding: usize,
        /// Trials.
        n: usize,
    },
    /// A directional statement about a mean: it is above (or below) a value.
    Direction {
        /// The mean, of paired differences where trials are paired.
        estimate: Estimate,
        /// The side that the statement claims.
        side: Side,
        /// The value, 0 for a difference.
        value: f64,
    },
    /// A statement about a size: ours is the paper's.
    Size {
        /// Measured here.
        ours: Estimate,
        /// The paper's, from its authors' runs.
        theirs: Estimate,
    },
    /// A statement that two means are equivalent: their difference, or the logarithm of their ratio, is within a margin. It
    /// holds if the interval lies within the margin, differs if it lies outside.
    Equivalence {
        /// The mean, of paired differences where trials are paired.
        estimate: Estimate,
        /// Lower end of the margin.
        low: f64,
        /// Upper end of the margin.
        high: f64,
    },
    /// Nothing that bears on it, and why.
    None {
        /// In words: "the profile is too small", "no run was trained".
        reason: &'static str,
    },
}

/// On which side of a value a mean is claimed to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Greater.
    Above,
    /// Less.
    Below,
}

impl Finding {
    /// A finding with no case and no note.
    pub fn new(id: &'static str, measured: impl Into<String>, evidence: Evidence) -> Self {
        let (case, note) = (String::new(), String::new());
        Self { id, case, paper: None, measured: measured.into(), evidence, note }
    }

    /// A statement these runs say nothing about.
    pub fn untested(id: &'static str, reason: &'static str) -> Self {
        Self::new(id, "", Evidence::None { reason })
    }

    /// With the case it is about.
    pub fn case(self, case: impl Into<String>) -> Self {
        Self { case: case.into(), ..self }
    }

    /// With the value the paper reports for this case.
    pub fn paper(self, paper: impl Into<String>) -> Self {
        Self { paper: Some(paper.into()), ..self }
    }

    /// With something a reader must know.
    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}

/// Whether a statement of the paper is borne out by the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verdict {
    /// The measurement agrees with the statement.
    #[serde(rename = "holds")]
    Holds,
    /// The measurement contradicts the statement.
    #[serde(rename = "differs")]
    Differs,
    /// It was measured, and the trials are too few or too different to tell.
    #[serde(rename = "inconclusive")]
    Inconclusive,
    /// Nothing that was run bears on it.
    #[serde(rename = "not tested")]
    NotTested,
}

impl Verdict {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 4] = [Self::Holds, Self::Differs, Self::Inconclusive, Self::NotTested];
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Holds => "holds",
            Self::Differs => "differs",
            Self::Inconclusive => "inconclusive",
            Self::NotTested => "not tested",
        })
    }
}

/// A statement with its verdict: a row of `NAME.claims.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The statement's id.
    pub id: String,
    /// Where, if it is tested in several places.
    pub case: String,
    /// The statement, in one sentence.
    pub claim: String,
    /// Where it is made.
    pub source: String,
    /// The value the paper reports; may be empty.
    pub paper: String,
    /// The value measured here.
    pub measured: String,
    /// Trials (or pairs of trials) the verdict is made from.
    pub n: usize,
    /// Lower end of the 95 % interval, of the mean or of the difference to the paper's.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Holm's adjusted p-value, in the family of all cases of this statement.
    pub adjusted_p: Option<f64>,
    /// What all of it says.
    pub verdict: Verdict,
    /// Why it is that, and what a reader must know.
    pub reason: String,
}

/// The verdicts on `statements` (those of one experiment), case by case, in the order of the statements.
///
/// # Errors
/// If a finding is about a statement that is not there.
pub fn judge(statements: &[Statement], findings: Vec<Finding>) -> anyhow::Result<Vec<Claim>> {
    let mut by_id = BTreeMap::<&str, Vec<Finding>>::new();
    for finding in findings {
        by_id.entry(finding.id).or_default().push(finding);
    }
    let mut claims = Vec::new();
    for statement in statements {
        match by_id.remove(statement.id.as_str()) {
            Some(family) => claims.extend(judge_family(statement, family)),
            None => {
                let reason = statement.missing.as_deref().unwrap_or("these settings do not measure it");
                claims.push(row(
                    statement,
                    Finding::new("", "", Evidence::None { reason: "" }),
                    None,
                    Ruling::untested(reason),
                ));
            }
        }
    }
    match by_id.keys().next() {
        Some(id) => anyhow::bail!("experiments/claims.toml has no statement {id} of this experiment"),
        None => Ok(claims),
    }
}

/// A verdict and why.
struct Ruling {
    verdict: Verdict,
    reason: String,
}

impl Ruling {
    fn new(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self { verdict, reason: reason.into() }
    }

    fn untested(reason: impl Into<String>) -> Self {
        Self::new(Verdict::NotTested, reason)
    }
}

/// The cases of one statement: their p-values are adjusted together.
fn judge_family(statement: &Statement, family: Vec<Finding>) -> Vec<Claim> {
    let p_values: Vec<Option<f64>> = family.iter().map(|finding| finding.evidence.p_value()).collect();
    let mut adjusted = holm(&p_values.iter().flatten().copied().collect::<Vec<_>>()).into_iter();
    let judged = family.into_iter().zip(p_values).map(|(finding, p)| {
        let p = p.and_then(|_| adjusted.next());
        let ruling = finding.evidence.ruling(p);
        row(statement, finding, p, ruling)
    });
    judged.collect()
}

fn row(statement: &Statement, finding: Finding, adjusted_p: Option<f64>, ruling: Ruling) -> Claim {
    let interval = finding.evidence.estimate().and_then(|estimate| estimate.interval());
    let reason = match (ruling.reason.is_empty(), finding.note.is_empty()) {
        (false, false) => format!("{}; {}", ruling.reason, finding.note),
        (true, _) => finding.note,
        (false, true) => ruling.reason,
    };
    Claim {
        id: statement.id.clone(),
        case: finding.case,
        claim: statement.statement.clone(),
        source: statement.source.clone(),
        paper: finding.paper.unwrap_or_else(|| statement.paper.clone()),
        measured: finding.measured,
        n: finding.evidence.n(),
        low: interval.map(|ends| ends.0),
        high: interval.map(|ends| ends.1),
        adjusted_p,
        verdict: ruling.verdict,
        reason,
    }
}

impl Evidence {
    /// Trials it is made from.
    fn n(&self) -> usize {
        match *self {
            Self::Exact { n, .. } | Self::EveryTrial { n, .. } => n,
            Self::Direction { estimate, .. } | Self::Equivalence { estimate, .. } => estimate.n,
            Self::Size { ours, .. } => ours.n,
            Self::None { .. } => 0,
        }
    }

    /// The mean whose interval is shown.
    fn estimate(&self) -> Option<Estimate> {
        match self {
            Self::Direction { estimate, .. } | Self::Equivalence { estimate, .. } => Some(*estimate),
            Self::Size { ours, theirs } => Some(ours.minus(theirs)),
            _ => None,
        }
    }

    fn p_value(&self) -> Option<f64> {
        let estimate = self.estimate()?;
        match self {
            Self::Direction { value, .. } => estimate.p_value(*value),
            // That of the nearer end, which the mean must be told apart from on either side.
            Self::Equivalence { low, high, .. } => Some(estimate.p_value(*low)?.max(estimate.p_value(*high)?)),
            _ => estimate.p_value(0.0),
        }
    }

    /// The verdict, given the adjusted p-value of a test.
    fn ruling(&self, adjusted_p: Option<f64>) -> Ruling {
        match *self {
            Self::None { reason } => Ruling::untested(reason),
            Self::Exact { n: 0, .. } | Self::EveryTrial { n: 0, .. } => Ruling::untested("no run to judge by"),
            Self::Exact { holds: true, .. } => Ruling::new(Verdict::Holds, ""),
            Self::Exact { holds: false, .. } => Ruling::new(Verdict::Differs, ""),
            Self::EveryTrial { holding, n } if holding == n => Ruling::new(Verdict::Holds, ""),
            Self::EveryTrial { holding, n } => {
                let reason = match holding {
                    0 => format!("in none of {n} trials"),
                    _ => format!("in {holding} of {n} trials only"),
                };
                Ruling::new(Verdict::Differs, reason)
            }
            Self::Direction { .. } | Self::Size { .. } | Self::Equivalence { .. } => match adjusted_p {
                None => Ruling::new(Verdict::Inconclusive, self.why_without_test()),
                Some(p) => self.tested(p),
            },
        }
    }

    fn why_without_test(&self) -> &'static str {
        match self.estimate() {
            Some(Estimate { error: Some(error), .. }) if error.size == 0.0 => {
                "all trials are equal: there is no spread to judge by"
            }
            Some(Estimate { error: Some(_), .. }) => "a value is not finite",
            _ => "one trial says nothing about a mean",
        }
    }

    fn tested(&self, adjusted_p: f64) -> Ruling {
        let significant = adjusted_p < 1.0 - CONFIDENCE;
        match *self {
            Self::Direction { estimate, side, value } if significant => {
                let as_claimed = (estimate.mean > value) == (side == Side::Above);
                Ruling::new(if as_claimed { Verdict::Holds } else { Verdict::Differs }, "")
            }
            Self::Equivalence { estimate, low, high } if significant => {
                let within = low < estimate.mean && estimate.mean < high;
                Ruling::new(if within { Verdict::Holds } else { Verdict::Differs }, "")
            }
            Self::Size { .. } if significant => {
                Ruling::new(Verdict::Differs, "the interval of the difference from the paper's value excludes 0")
            }
            // Not to differ is not yet to agree: the plain interval must contain 0, and be narrow.
            Self::Size { theirs, .. } if self.agrees_with(theirs) => Ruling::new(Verdict::Holds, ""),
            _ => Ruling::new(Verdict::Inconclusive, self.why_undecided(adjusted_p)),
        }
    }

    /// Whether the plain interval of the difference contains 0 and is no wider than the value it is compared with.
    fn agrees_with(&self, theirs: Estimate) -> bool {
        let interval = self.estimate().and_then(|difference| difference.interval());
        interval.is_some_and(|(low, high)| low <= 0.0 && 0.0 <= high && high - low <= theirs.mean.abs())
    }

    /// Why a test decides nothing. A plain p-value below the level was significant before the adjustment.
    fn why_undecided(&self, adjusted_p: f64) -> String {
        if self.p_value().is_some_and(|p| p < 1.0 - CONFIDENCE) {
            return format!("not significant after Holm's adjustment (p = {adjusted_p:.2})");
        }
        let reason = match self {
            Self::Equivalence { .. } => "the interval reaches over an end of the margin",
            Self::Size { .. } => "the interval of the difference is wider than the paper's value",
            _ => "the trials do not decide the sign",
        };
        reason.to_owned()
    }
}

impl Claim {
    /// `NAME.claims.csv`. It has its header even if there are no claims.
    pub(crate) fn table(name: &str, claims: &[Self]) -> Result<Table, LabError> {
        Table::companion(name, "claims", claims.iter().cloned())
    }
}

#[cfg(test)]
mod tests {
    use Verdict::{Differs, Holds, Inconclusive, NotTested};

    use super::*;
    use crate::statistics::StandardError;

    fn statement(id: &str) -> Statement {
        let text = format!(
            "[[claim]]\nid = \"{id}\"\nexperiment = \"toy\"\nstatement = \"It is so.\"\nsource = \"Figure 1\"\n"
        );
        statements(&text).unwrap().remove(0)
    }

    fn verdicts(findings: Vec<Finding>) -> Vec<Verdict> {
        judge(&[statement("a")], findings).unwrap().iter().map(|claim| claim.verdict).collect()
    }

    fn verdict(evidence: Evidence) -> Verdict {
        verdicts(vec![Finding::new("a", "", evidence)])[0]
    }

    fn above(values: &[f64]) -> Evidence {
        Evidence::Direction { estimate: Estimate::of(values).unwrap(), side: Side::Above, value: 0.0 }
    }

    #[test]
    fn deterministic_statements() {
        assert_eq!(verdict(Evidence::Exact { holds: true, n: 1 }), Holds);
        assert_eq!(verdict(Evidence::Exact { holds: false, n: 1 }), Differs);
        assert_eq!(verdict(Evidence::Exact { holds: true, n: 0 }), NotTested);
        assert_eq!(verdict(Evidence::EveryTrial { holding: 3, n: 3 }), Holds);
        assert_eq!(verdict(Evidence::EveryTrial { holding: 2, n: 3 }), Differs);
        assert_eq!(verdict(Evidence::None { reason: "too small" }), NotTested);
    }

    #[test]
    fn directions() {
        assert_eq!(verdict(above(&[1.0, 1.1, 0.9])), Holds);
        assert_eq!(verdict(above(&[-1.0, -1.1, -0.9])), Differs);
        assert_eq!(verdict(above(&[1.0, -0.5, 0.7])), Inconclusive);
        assert_eq!(verdict(above(&[100.0])), Inconclusive);
        let below =
            Evidence::Direction { estimate: Estimate::of(&[-1.0, -1.1, -0.9]).unwrap(), side: Side::Below, value: 0.0 };
        assert_eq!(verdict(below), Holds);
    }

    #[test]
    fn sizes() {
        let size = |ours: &[f64], theirs: &[f64]| Evidence::Size {
            ours: Estimate::of(ours).unwrap(),
            theirs: Estimate::of(theirs).unwrap(),
        };
        assert_eq!(verdict(size(&[1.0, 1.1, 0.9], &[1.05, 0.95, 1.0])), Holds);
        assert_eq!(verdict(size(&[1.0, 1.1, 0.9], &[2.05, 1.95, 2.0])), Differs);
        assert_eq!(verdict(size(&[1.0, 9.0, -7.0], &[1.05, 0.95, 1.0])), Inconclusive);
        assert_eq!(verdict(size(&[1.0], &[1.05, 0.95, 1.0])), Inconclusive);
    }

    #[test]
    fn equivalences() {
        let within = |values: &[f64]| {
            verdict(Evidence::Equivalence { estimate: Estimate::of(values).unwrap(), low: -1.0, high: 1.0 })
        };
        assert_eq!(within(&[0.3, 0.4, 0.2]), Holds);
        assert_eq!(within(&[2.3, 2.4, 2.2]), Differs);
        assert_eq!(within(&[0.7, 0.8, 1.3]), Inconclusive);
        assert_eq!(within(&[-9.0, 0.0, 9.0]), Inconclusive);
        assert_eq!(within(&[0.0]), Inconclusive);
    }

    /// The interval of 0.1 to 2.1 holds the paper's value of 1, and nearly twice it, and nearly nothing.
    #[test]
    fn a_size_needs_an_interval_no_wider_than_itself() {
        let ours = Estimate { n: 5, mean: 1.1, error: Some(StandardError { size: 0.36, degrees: 4.0 }) };
        let theirs = Estimate { n: 5, mean: 1.0, error: Some(StandardError { size: 0.0, degrees: 4.0 }) };
        let (low, high) = ours.minus(&theirs).interval().unwrap();
        assert!(low < 0.0 && high - low > 1.9 && (high - low) / 2.0 <= 1.0);
        assert_eq!(verdict(Evidence::Size { ours, theirs }), Inconclusive);
    }

    /// Holm's adjustment guards against a false "differs". It must not make a "holds".
    #[test]
    fn a_size_whose_plain_interval_excludes_0_does_not_hold() {
        let ours = Estimate::of(&[1.20, 1.30, 1.25, 1.10]).unwrap();
        let theirs = Estimate::of(&[1.0, 1.05, 0.95, 1.1]).unwrap();
        assert_eq!(verdict(Evidence::Size { ours, theirs }), Differs);
        let eight =
            (0..8).map(|k| Finding::new("a", "", Evidence::Size { ours, theirs }).case(k.to_string())).collect();
        assert_eq!(verdicts(eight), [Inconclusive; 8]);
    }

    #[test]
    fn nothing_is_said_without_spread_or_with_an_infinite_value() {
        let reason = |values: &[f64]| {
            let claim = judge(&[statement("a")], vec![Finding::new("a", "", above(values))]).unwrap().remove(0);
            assert_eq!((claim.verdict, claim.adjusted_p), (Inconclusive, None));
            claim.reason
        };
        assert!(reason(&[1.0, 1.0, 1.0]).contains("all trials are equal"));
        assert!(reason(&[1.0, f64::INFINITY, 1.0]).contains("not finite"));
        assert!(reason(&[1.0]).contains("one trial"));
    }

    #[test]
    fn the_reason_names_holms_adjustment_where_it_decides() {
        let reasons = |n: usize| -> Vec<String> {
            let family = (0..n).map(|k| Finding::new("a", "", above(&[1.0, 1.3, 0.8])).case(k.to_string())).collect();
            judge(&[statement("a")], family).unwrap().into_iter().map(|claim| claim.reason).collect()
        };
        assert_eq!(reasons(1), [""]);
        assert_eq!(reasons(4)[0], "not significant after Holm's adjustment (p = 0.08)");
        assert_eq!(
            judge(&[statement("a")], vec![Finding::new("a", "", above(&[1.0, -0.5, 0.7]))]).unwrap()[0].reason,
            "the trials do not decide the sign"
        );
    }

    /// Each alone holds (p = 0.02); four of them together do not.
    #[test]
    fn a_family_is_adjusted_together() {
        let values = [1.0, 1.3, 0.8];
        assert_eq!(verdict(above(&values)), Holds);
        let four = (0..4).map(|k| Finding::new("a", "", above(&values)).case(k.to_string())).collect();
        assert_eq!(verdicts(four), [Inconclusive; 4]);
    }

    #[test]
    fn every_statement_has_a_row_and_every_finding_a_statement() {
        let claims =
            judge(&[statement("a"), statement("b")], vec![Finding::untested("b", "too small").note("two failed")])
                .unwrap();
        assert_eq!((claims[0].verdict, claims[0].reason.as_str()), (NotTested, "these settings do not measure it"));
        assert_eq!(claims[1].reason, "too small; two failed");
        let error = judge(&[statement("a")], vec![Finding::untested("c", "")]).unwrap_err();
        assert!(error.to_string().contains("no statement c"), "{error}");
    }

    #[test]
    fn ids_are_unique() {
        let one = "[[claim]]\nid = \"a\"\nexperiment = \"toy\"\nstatement = \"x\"\nsource = \"y\"\n";
        assert!(statements(&format!("{one}{one}")).unwrap_err().to_string().contains("a occurs twice"));
    }
}
