//! The report's claims in Markdown.

use super::page::interval;
use super::{Claim, Report, Verdict};

/// The table in Markdown.
pub(super) fn page(report: &Report) -> String {
    let counts = Verdict::ALL.map(|verdict| format!("{} {verdict}", report.count(verdict))).join(", ");
    let mut text = format!(
        "# Claims\n\nEvery statement of the paper, and of what this repository adds, with its verdict from the tables of the profile {}: {counts}. \
         [How a verdict comes about](verdicts.md).\n\nThis page is generated: `just documents`.\n",
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

/// Claims as a table in Markdown.
pub(super) fn rows(claims: &[Claim]) -> String {
    let mut text =
        "| claim | statement | where | paper | here | n | 95 % interval | verdict |\n|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for claim in claims {
        let case = if claim.case.is_empty() { String::new() } else { format!(" [{}]", claim.case) };
        let n = if claim.n > 0 { claim.n.to_string() } else { String::new() };
        let reason = if claim.reason.is_empty() { String::new() } else { format!(": {}", claim.reason) };
        let name = claim.id.split_once('/').map_or(claim.id.as_str(), |(_, name)| name);
        let cells = [
            format!("`{name}`"),
            format!("{}{case}", claim.claim),
            claim.source.clone(),
            claim.paper.clone(),
            claim.measured.clone(),
            n,
            interval(claim),
            format!("**{}**{reason}", claim.verdict),
        ];
        text += &format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|").replace('\n', " ")).join(" | "));
    }
    text
}
