//! The report's claims in Markdown.

use super::page::interval;
use super::{Claim, Report, Verdict};

/// The table in Markdown.
pub(super) fn page(report: &Report) -> String {
    let counts = Verdict::ALL.map(|verdict| format!("{} {verdict}", report.count(verdict))).join(", ");
    let mut text = format!(
        "# Claims\n\nEvery statement of the paper, and of what this repository adds, with its verdict from the tables of the profile {}: {counts}. \
         [How a verdict comes about](verdicts.md). A cell with … is as in the row above it.\n\nThis page is generated: `just documents`.\n",
        report.profiles()
    );
    for section in &report.sections {
        text += &format!("\n## {}\n\n", section.name);
        text += &rows(&section.claims);
    }
    if !report.untested.is_empty() {
        text += "\n## Not implemented yet\n\n";
        text += &rows(&report.untested);
    }
    text
}

/// Claims as a table in Markdown. What a claim's further cases share with the row above is written once.
pub(super) fn rows(claims: &[Claim]) -> String {
    let mut text =
        "| claim | statement | where | paper | here | n | 95 % interval | verdict |\n|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    let mut above: Option<&Claim> = None;
    for claim in claims {
        let case_above = above.replace(claim).filter(|above| above.id == claim.id);
        let once = |of: fn(&Claim) -> &str| match case_above {
            Some(above) if of(above) == of(claim) && !of(claim).is_empty() => "…",
            _ => of(claim),
        };
        let case = if claim.case.is_empty() { String::new() } else { format!(" [{}]", claim.case) };
        let n = if claim.n > 0 { claim.n.to_string() } else { String::new() };
        let reason = if claim.reason.is_empty() { String::new() } else { format!(": {}", claim.reason) };
        let name = claim.id.split_once('/').map_or(claim.id.as_str(), |(_, name)| name);
        let cells = [
            format!("`{name}`"),
            format!("{}{case}", once(|claim| &claim.claim)),
            once(|claim| &claim.source).to_owned(),
            once(|claim| &claim.paper).to_owned(),
            claim.measured.clone(),
            n,
            interval(claim),
            format!("**{}**{reason}", claim.verdict),
        ];
        text += &format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|").replace('\n', " ")).join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(id: &str, case: &str, paper: &str, (low, high): (f64, f64)) -> Claim {
        Claim {
            id: format!("page/{id}"),
            case: case.to_owned(),
            claim: "It grows.".to_owned(),
            source: "Figure 1".to_owned(),
            paper: paper.to_owned(),
            measured: "x".to_owned(),
            n: 3,
            low: Some(low),
            high: Some(high),
            adjusted_p: None,
            verdict: Verdict::Holds,
            reason: String::new(),
        }
    }

    #[test]
    fn further_cases_of_a_claim_say_only_what_is_new() {
        let cases =
            [("grows", "a", "1"), ("grows", "b", "1"), ("grows", "c", "2"), ("stays", "a", "2"), ("stays", "b", "")];
        let table = rows(&cases.map(|(id, case, paper)| claim(id, case, paper, (-2.0, 3.0))));
        let beginnings: Vec<&str> = table.lines().skip(2).map(|row| row.split(" | x | ").next().unwrap()).collect();
        assert_eq!(
            beginnings,
            [
                "| `grows` | It grows. [a] | Figure 1 | 1",
                "| `grows` | … [b] | … | …",
                "| `grows` | … [c] | … | 2",
                "| `stays` | It grows. [a] | Figure 1 | 2",
                "| `stays` | … [b] | … | ",
            ]
        );
    }

    #[test]
    fn the_ends_of_an_interval_can_be_told_apart() {
        let cases = [
            ((0.001063, 0.001195), "1.1e-3 to 1.2e-3"),
            ((-0.0098, 0.0098), "−9.8e-3 to 9.8e-3"),
            ((-0.0042, 0.1), "−0.004 to 0.100"),
            ((-0.3, 2000.0), "−0.300 to 2000"),
            ((0.0, 1500.4), "0 to 1500"),
            ((0.0004, 0.549), "4.0e-4 to 0.549"),
            ((0.0, 0.5), "0.000 to 0.500"),
            ((-20728.4, -999.6), "−20728 to −1000"),
        ];
        for (ends, written) in cases {
            assert_eq!(interval(&claim("grows", "", "", ends)), written);
        }
    }
}
