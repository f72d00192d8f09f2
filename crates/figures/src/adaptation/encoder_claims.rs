//! A statement of the paper is about its own encoder: on another one, what is found is a statement of its own.

use lab::Finding;

use super::settings::EncoderSettings;

/// The source of the paper's encoder.
pub const PAPERS_ENCODER: &str = "bert-base-cased";
/// Why a statement of the paper is not tested on another one.
pub const NEEDS_PAPERS_ENCODER: &str = "needs bert-base-cased: --profile bert-base";

/// Findings about the statement `paper`, or, on another encoder than the paper's, about its like, `here`.
pub fn by_encoder(
    encoder: &EncoderSettings,
    [paper, here]: [&'static str; 2],
    find: impl FnOnce(&'static str) -> Vec<Finding>,
) -> Vec<Finding> {
    if encoder.source == PAPERS_ENCODER {
        let mut findings = find(paper);
        findings.push(Finding::untested(here, "this is the paper's encoder"));
        return findings;
    }
    let mut findings = vec![Finding::untested(paper, NEEDS_PAPERS_ENCODER)];
    if encoder.is_pretrained() {
        let named = |finding: Finding| {
            let case = [encoder.source.as_str(), &finding.case].into_iter().filter(|part| !part.is_empty());
            let case = case.collect::<Vec<_>>().join(", ");
            finding.case(case)
        };
        findings.extend(find(here).into_iter().map(named));
    } else {
        findings.push(Finding::untested(here, "the encoder has learned nothing"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use lab::Evidence;
    use lab::checked::PositiveSingle;

    use super::super::settings::PoolingChoice;
    use super::*;

    fn found(source: &str) -> Vec<(&'static str, String, bool)> {
        let pooler_scale = PositiveSingle::new(1.0).expect("above 0");
        let (source, pooling) = (source.into(), PoolingChoice::Pooler);
        let encoder = EncoderSettings { source, pooling, pooler_scale, max_tokens: None };
        let find = |id| vec![Finding::new(id, "", Evidence::Exact { holds: true, n: 1 }).case("stsb")];
        let found = by_encoder(&encoder, ["paper", "here"], find);
        found.into_iter().map(|f| (f.id, f.case, matches!(f.evidence, Evidence::None { .. }))).collect()
    }

    #[test]
    fn the_papers_statement_needs_the_papers_encoder() {
        let none = String::new;
        assert_eq!(found("bert-base-cased"), [("paper", "stsb".into(), false), ("here", none(), true)]);
        assert_eq!(found("mine"), [("paper", none(), true), ("here", "mine, stsb".into(), false)]);
        assert_eq!(found("tiny-random"), [("paper", none(), true), ("here", none(), true)]);
    }
}
