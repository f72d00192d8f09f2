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
                // An empty icon, or a browser asks for one.
                link rel="icon" href="data:,";
                title { "Compressible dynamics, profile " (profile) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "Compressible dynamics: which of the paper's statements hold?" }
                    p {
                        "Yaras, Wang, Balzano and Qu (ICML 2024, "
                        a href="https://arxiv.org/abs/2406.04112" { "arXiv 2406.04112" }
                        ") show that a deep overparameterized factorization learns inside a small invariant subspace: a \
                         compressed one follows it at a fraction of the cost. This page tests their statements one by one, \
                         with the runs of the profile " b { (report.profiles()) } "."
                    }
                    (counts(report))
                    (doubts(report))
                }
                main {
                    (headlines(report))
                    (contents(report))
                    @for section in &report.sections { (experiment(section)) }
                    (unimplemented(report))
                }
                script { (PreEscaped(FILTER)) }
            }
        }
    }
}

/// Where tables are not those of their runs.
fn doubts(report: &Report) -> Markup {
    let doubted: Vec<&Section> = report.sections.iter().filter(|section| !section.doubts.is_empty()).collect();
    html! {
        @if !doubted.is_empty() {
            p {
                b { "Beware: " } "tables or verdicts of these are not as their runs left them: "
                @for section in doubted { a href={ "#" (section.name) } { (section.name) } " " }
            }
        }
    }
}

/// The four numbers, which filter the claims.
fn counts(report: &Report) -> Markup {
    html! {
        div.counts role="group" aria-label="Show the claims of one verdict only" {
            @for verdict in Verdict::ALL {
                button.count.(class(verdict)) type="button" data-verdict=(class(verdict)) aria-pressed="false" {
                    b { (report.count(verdict)) } " " (verdict.to_string())
                }
            }
        }
        p.hint #shown aria-live="polite" data-rest="Press a verdict to see its claims only." {
            "Press a verdict to see its claims only."
        }
        p.hint {
            "Inconclusive: measured, but the trials are too few or too different to tell. "
            "Not tested: nothing that was run bears on it."
        }
    }
}

fn headlines(report: &Report) -> Markup {
    html! {
        section #headlines {
            h2 { "In short" }
            div.scroll { table.claims {
                thead { tr { th { "Statement" } th { "Paper" } th { "Here" } th { "Verdict" } } }
                tbody { @for id in &report.headlines { (headline(report, id)) } }
            } }
        }
    }
}

/// One statement with all its cases in one row, and what another encoder than the paper's shows, where that is a statement
/// of its own.
fn headline(report: &Report, id: &str) -> Markup {
    let cases = report.cases(id);
    let elsewhere = report.cases(&format!("{id}-here"));
    let Some(first) = cases.first() else { return html! {} };
    html! {
        tr {
            td { a href={ "#" (anchor(first)) } { (first.claim) } }
            td data-label="Paper" {
                @if cases.iter().all(|claim| claim.paper == first.paper) { (first.paper) }
                @else { (values(&cases, |claim| &claim.paper)) }
            }
            td data-label="Here" {
                (values(&cases, |claim| &claim.measured))
                @if cases.iter().all(|claim| claim.measured.is_empty()) { small { (first.reason) } }
            }
            td data-label="Verdict" {
                (tally(&cases))
                @if let Some(other) = elsewhere.first() {
                    div { small { a href={ "#" (anchor(other)) } { "on another encoder" } ":" } (tally(&elsewhere)) }
                }
            }
        }
    }
}

/// How many cases have each verdict.
fn tally(cases: &[&Claim]) -> Markup {
    let count = |verdict| cases.iter().filter(|claim| claim.verdict == verdict).count();
    html! {
        @for verdict in Verdict::ALL { @if count(verdict) > 0 {
            div { (badge(verdict)) @if cases.len() > 1 { " " small { (count(verdict)) " of " (cases.len()) } } }
        } }
    }
}

/// A value of each case; of many the first and the last.
fn values(cases: &[&Claim], value: impl Fn(&Claim) -> &str) -> Markup {
    const FEW: usize = 3;
    let left_out = |at: usize| cases.len() > FEW && 0 < at && at + 1 < cases.len();
    html! {
        @for (at, claim) in cases.iter().enumerate() {
            @if !left_out(at) && !value(claim).is_empty() { div { (value(claim)) (case(claim)) } }
            @if left_out(at) && at == 1 { div { small { "and " (cases.len() - 2) " between" } } }
        }
    }
}

fn contents(report: &Report) -> Markup {
    html! {
        nav aria-label="Experiments" {
            @for section in &report.sections { a href={ "#" (section.name) } { (section.name) } " " }
            @if !report.untested.is_empty() { a href="#not-implemented" { "not implemented yet" } }
        }
    }
}

fn experiment(section: &Section) -> Markup {
    html! {
        section.experiment id=(section.name) {
            h2 { (section.name) }
            p { (section.about) }
            @for (name, figure) in &section.figures {
                figure role="group" aria-label={ "Figure " (name) } tabindex="0" {
                    figcaption.hint { "The figure scrolls sideways." }
                    (PreEscaped(figure))
                }
            }
            @for doubt in &section.doubts { p { b { "Beware: " } (doubt) "." } }
            (claims(&section.claims))
            @if let Some(texts) = &section.texts { (texts.html()) }
            @match &section.run {
                Some(run) => { (settings(run)) (run_of(run)) },
                None if !section.tables.is_empty() => {},
                None => p.hint { "This experiment was not run in this profile." },
            }
            p.hint {
                @if !section.tables.is_empty() { "Tables: " }
                @for table in &section.tables { a href=(table.address) { (table.name) } " " }
                @if let Some(file) = &section.settings { "Settings: " a href=(file.address) { (file.name) } }
            }
        }
    }
}

fn unimplemented(report: &Report) -> Markup {
    html! {
        @if !report.untested.is_empty() {
            section.experiment #not-implemented { h2 { "Not implemented yet" } (claims(&report.untested)) }
        }
    }
}

/// The claims of one experiment, with what the verdicts are made from.
fn claims(claims: &[Claim]) -> Markup {
    html! {
        div.scroll { table.claims {
            thead { tr {
                th { "Statement" } th { "Paper" } th { "Here" } th { "n" } th { "95 % interval" } th { "Adjusted p" } th { "Verdict" }
            } }
            tbody { @for claim in claims { (row(claim)) } }
        } }
    }
}

fn row(claim: &Claim) -> Markup {
    html! {
        tr.claim id=(anchor(claim)) data-verdict=(class(claim.verdict)) {
            td { (claim.claim) (case(claim)) div { small { (claim.source) } } }
            td data-label="Paper" { (claim.paper) }
            td data-label="Here" { (claim.measured) }
            td data-label="n" { @if claim.n > 0 { (claim.n) } }
            td data-label="95 % interval" { (interval(claim)) }
            td data-label="Adjusted p" { (p_value(claim)) }
            td data-label="Verdict" { (badge(claim.verdict)) @if !claim.reason.is_empty() { div { small { (claim.reason) } } } }
        }
    }
}

/// Which settings of the run are not those of the profile `paper`.
fn settings(run: &Run) -> Markup {
    html! {
        @if run.differing.is_empty() {
            p.hint { "All settings that the settings file names are those of the profile paper." }
        } @else {
            details {
                summary { "Settings that differ from the profile paper: " (run.differing.len()) }
                div.scroll tabindex="0" { table {
                    thead { tr { th { "Key" } th { "Here" } th { "Profile paper" } } }
                    tbody { @for [key, here, there] in &run.differing { tr { td { code { (key) } } td { (here) } td { (there) } } } }
                } }
            }
        }
    }
}

fn run_of(run: &Run) -> Markup {
    html! {
        p.hint {
            (run.trials) @if run.trials == 1 { " trial, " } @else { " trials, " }
            @if run.failed > 0 { b { (run.failed) " failed, " } }
            (seconds(run.trial_seconds)) " of computing, started " (run.started) ", revision " (run.revision) ", " (run.machine) "."
        }
    }
}

fn badge(verdict: Verdict) -> Markup {
    html! { span.badge.(class(verdict)) { (verdict.to_string()) } }
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

pub(super) fn interval(claim: &Claim) -> String {
    match (claim.low, claim.high) {
        (Some(low), Some(high)) => {
            let largest = low.abs().max(high.abs());
            format!("{} to {}", short(low, largest), short(high, largest))
        }
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

/// An end of an interval with the sign of subtraction; `largest` is the larger end. Never rounded to 0, and in short intervals
/// with digits enough to tell the ends apart.
fn short(x: f64, largest: f64) -> String {
    let text = if largest >= 1000.0 && (x == 0.0 || x.abs() >= 0.5) {
        format!("{x:.0}")
    } else if x == 0.0 || (x.abs() >= 1e-3 && largest >= 1e-2) {
        format!("{x:.3}")
    } else {
        format!("{x:.1e}")
    };
    text.replacen('-', "−", usize::from(x < 0.0))
}

fn seconds(seconds: f64) -> String {
    match seconds {
        s if s >= 5400.0 => format!("{:.1} hours", s / 3600.0),
        s if s >= 90.0 => format!("{:.0} minutes", s / 60.0),
        s => format!("{s:.0} s"),
    }
}
