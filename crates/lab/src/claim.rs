//! Claims: statements of the paper, each with what was measured and a verdict.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{LabError, Table};

/// Whether a statement of the paper is borne out by the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The measurement agrees with the statement.
    #[serde(rename = "holds")]
    Holds,
    /// The measurement contradicts the statement.
    #[serde(rename = "differs")]
    Differs,
    /// These settings cannot tell: the profile is too small, say.
    #[serde(rename = "not tested")]
    NotTested,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Holds => "holds",
            Self::Differs => "differs",
            Self::NotTested => "not tested",
        })
    }
}

/// One statement of the paper and its verdict: a row of `NAME.claims.csv`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The paper's statement, in one sentence.
    pub claim: String,
    /// The value the paper reports; may be empty.
    pub paper: String,
    /// The value measured here.
    pub measured: String,
    /// What the two together say.
    pub verdict: Verdict,
}

impl Claim {
    /// `NAME.claims.csv`. It has its header even if there are no claims.
    pub(crate) fn table(name: &str, claims: &[Self]) -> Result<Table, LabError> {
        Table::companion(name, "claims", claims.iter().cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_the_same_with_and_without_claims() {
        let text = |claims: &[Claim]| String::from_utf8(Claim::table("toy", claims).unwrap().bytes().to_vec()).unwrap();
        let [claim, paper, measured] = ["a", "b", "c"].map(String::from);
        let one = Claim { claim, paper, measured, verdict: Verdict::NotTested };
        assert_eq!(text(&[]), "claim,paper,measured,verdict\n");
        assert_eq!(text(&[one]), text(&[]) + "a,b,c,not tested\n");
    }
}
