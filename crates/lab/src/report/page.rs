//! What the report looks like.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::section::{Run, Section};
use super::{Claim, Report, Verdict};

const STYLE: &str = include_str!("style.css");
/// Shows the claims of one verdict, or all.
const FILTER: &str = include_str!("filter.js");

/// The whole page.
pub(super) fn html(report: &Report) -> Markup {
    let profile = report.places.profile;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Compressible dynamics, profile " (profile) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "Compressible dynamics: what holds" }
                    p {
                        "Yaras, Wang, Balzano and Qu (ICML 2024, "
                        a href="https://arxiv.org/abs/2406.04112" { "arXiv 2406.04112" }
                        ") show that deep overparameterized factorizations learn inside a small invariant subspace, so that a \
                         compressed factorization follows the same trajectory at a fraction of the cost. This page checks \
                         their statements one by one, from the tables of profile " b { (profile) } "."
                    }
                    (counts(report))
                }
                main {
                    (headlines(report))
                    (contents(report))
                    @for section in &report.sections { (experiment(section)) }
                    (untested(report))
                }
                script { (PreEscaped(FILTER)) }
            }
        }
    }
}

/// The four numbers, which filter the claims.
fn counts(report: &Report) -> Markup {
    html! {
        div.counts role="group" aria-label="Show the claims of one verdict" {
            @for verdict in Verdict::ALL {
                button type="button" class={ "count " (class(verdict)) } data-verdict=(class(verdict)) aria-pressed="false" {
                    b { (report.count(verdict)) } " " (verdict.to_string())
                }
            }
        }
        p.hint { "Press one to see its claims only; press it again to see all." }
    }
}

fn headlines(report: &Report) -> Markup {
    html! {
        section #headlines {
            h2 { "In short" }
            div.scroll { table {
                thead { tr { th { "Statement" } th { "Paper" } th { "Here" } th { "Verdict" } } }
                tbody { @for id in &report.headlines {
                    (headline(&report.claims().filter(|claim| claim.id == *id).collect::<Vec<_>>()))
                } }
            } }
        }
    }
}

/// One statement with all its cases in one row.
fn headline(cases: &[&Claim]) -> Markup {
    let Some(first) = cases.first() else { return html! {} };
    let found = Verdict::ALL.map(|verdict| (verdict, cases.iter().filter(|claim| claim.verdict == verdict).count()));
    html! {
        tr {
            td { a href={ "#" (anchor(first)) } { (first.claim) } }
            td { @if cases.iter().all(|claim| claim.paper == first.paper) { (first.paper) } @else {
                @for claim in cases { (line(claim, &claim.paper)) }
            } }
            td { @for claim in cases { (line(claim, &claim.measured)) } }
            td { @for (verdict, count) in found.iter().filter(|(_, count)| *count > 0) {
                (badge(*verdict)) @if cases.len() > 1 { " " (count) " of " (cases.len()) } br;
            } }
        }
    }
}

/// A value of one case.
fn line(claim: &Claim, value: &str) -> Markup {
    html! { @if !value.is_empty() { div { (value) (case(claim)) } } }
}

fn contents(report: &Report) -> Markup {
    html! {
        nav aria-label="Experiments" {
            @for section in &report.sections { a href={ "#" (section.name) } { (section.name) } " " }
        }
    }
}

fn experiment(section: &Section) -> Markup {
    html! {
        section id=(section.name) {
            h2 { (section.name) }
            p { (section.about) "." }
            @for figure in &section.figures { figure { (PreEscaped(figure)) } }
            (claims(&section.claims))
            @match &section.run {
                Some(run) => (run_of(section, run)),
                None => p.hint { "It was not run in this profile." },
            }
        }
    }
}

/// The claims of one experiment, with what the verdicts are made from.
fn claims(claims: &[Claim]) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th { "Statement" } th { "Where" } th { "Paper" } th { "Here" } th { "n" } th { "95 % interval" }
                th { "Adjusted p" } th { "Verdict" }
            } }
            tbody { @for claim in claims {
                tr.claim id=(anchor(claim)) data-verdict=(class(claim.verdict)) {
                    td { (claim.claim) (case(claim)) }
                    td { (claim.source) }
                    td { (claim.paper) }
                    td { (claim.measured) }
                    td { @if claim.n > 0 { (claim.n) } }
                    td { (interval(claim)) }
                    td { (p_value(claim)) }
                    td { (badge(claim.verdict)) @if !claim.reason.is_empty() { br; small { (claim.reason) } } }
                }
            } }
        } }
    }
}

fn run_of(section: &Section, run: &Run) -> Markup {
    html! {
        @if !run.differing.is_empty() {
            details {
                summary { "Settings that are not the paper's profile's: " (run.differing.len()) }
                div.scroll { table {
                    thead { tr { th { "Key" } th { "Here" } th { "Paper's profile" } } }
                    tbody { @for [key, here, there] in &run.differing { tr { td { code { (key) } } td { (here) } td { (there) } } } }
                } }
            }
        }
        p.hint {
            (run.trials) " trials, " (seconds(run.trial_seconds)) " in all"
            @if run.failed > 0 { ", " (run.failed) " failed" }
            "; " (run.started) ", revision " (run.revision) ", " (run.machine) "."
            br;
            "Tables: "
            @for table in &section.tables { a href=(table) { (table) } " " }
            a href={ "../../experiments/" (section.name) ".toml" } { (section.name) ".toml" }
        }
    }
}

fn untested(report: &Report) -> Markup {
    html! {
        @if !report.untested.is_empty() {
            section #untested { h2 { "Not implemented yet" } (claims(&report.untested)) }
        }
    }
}

fn badge(verdict: Verdict) -> Markup {
    html! { span class={ "badge " (class(verdict)) } { (verdict.to_string()) } }
}

fn case(claim: &Claim) -> Markup {
    html! { @if !claim.case.is_empty() { " " small { "[" (claim.case) "]" } } }
}

/// A verdict as a word of CSS.
fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Differs => "differs",
        Verdict::Inconclusive => "inconclusive",
        Verdict::NotTested => "not-tested",
    }
}

/// The name of a claim's row: its id, and its case in letters that an address may have.
fn anchor(claim: &Claim) -> String {
    let case: String = claim.case.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    if case.is_empty() { claim.id.clone() } else { format!("{}@{case}", claim.id) }
}

fn interval(claim: &Claim) -> String {
    match (claim.low, claim.high) {
        (Some(low), Some(high)) => format!("{} to {}", short(low), short(high)),
        _ => String::new(),
    }
}

fn p_value(claim: &Claim) -> String {
    match claim.adjusted_p {
        None => String::new(),
        Some(p) if p < 1e-3 => "< 0.001".to_owned(),
        Some(p) => format!("{p:.3}"),
    }
}

fn short(x: f64) -> String {
    match x.abs() {
        magnitude if magnitude >= 1000.0 => format!("{x:.0}"),
        magnitude if magnitude >= 1e-3 || magnitude == 0.0 => format!("{x:.3}"),
        _ => format!("{x:.1e}"),
    }
}

fn seconds(seconds: f64) -> String {
    match seconds {
        s if s >= 5400.0 => format!("{:.1} hours", s / 3600.0),
        s if s >= 90.0 => format!("{:.0} minutes", s / 60.0),
        s => format!("{s:.0} s"),
    }
}

/// The table in Markdown.
pub(super) fn markdown(report: &Report) -> String {
    let counts = Verdict::ALL.map(|verdict| format!("{} {verdict}", report.count(verdict))).join(", ");
    let mut text = format!(
        "# Claims\n\nEvery statement of the paper, and of what this repository adds, with its verdict from the tables of profile `{}`: {counts}. \
         [How a verdict comes about](verdicts.md).\n\nThis page is generated: `just documents`.\n",
        report.places.profile
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
        "| statement | where | paper | here | n | 95 % interval | verdict |\n|---|---|---|---|---|---|---|\n"
            .to_owned();
    for claim in claims {
        let case = if claim.case.is_empty() { String::new() } else { format!(" [{}]", claim.case) };
        let n = if claim.n > 0 { claim.n.to_string() } else { String::new() };
        let reason = if claim.reason.is_empty() { String::new() } else { format!(": {}", claim.reason) };
        let cells = [
            format!("{}{case}", claim.claim),
            claim.source.clone(),
            claim.paper.clone(),
            claim.measured.clone(),
            n,
            interval(claim),
            format!("**{}**{reason}", claim.verdict),
        ];
        text += &format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
    text
}
