//! The experiments of the paper, one module and one binary per figure.
//!
//! A module reads from top to bottom: its settings, its trials, what it writes, what it draws, what it claims. The
//! numerics are in `dynamics` and `adaptation`, the machinery around trials in `lab`, the plotting in `charts`; what several
//! experiments share is in `matrix` and `adaptation`, `summary` and `statements`.

mod ablations;
mod adaptation;
mod adaptation_subspaces;
mod authors;
mod checks;
mod completion;
mod compressed_vs_narrow;
mod costs;
mod depth_width_sweep;
pub mod documents;
mod drawing;
mod factorization;
mod few_shot;
mod glue_table;
mod invariant_subspace;
mod label;
mod learned_ranks;
mod lora_compressed_vs_narrow;
mod matrix;
mod memory;
mod nlg;
mod palette;
mod rank_sweep;
mod ratings;
mod reference;
mod scaling;
mod sensing;
mod statements;
mod step_size;
mod summary;
mod svd_evolution;
mod training_length;
mod what_matters;

/// The statements that all experiments test.
pub const CLAIMS: &str = include_str!("../../../experiments/claims.toml");

/// `main` of the binary of one experiment, which has its name. All that is generic is compiled here once, not in every binary.
///
/// # Panics
/// If no experiment has the name.
pub fn main(name: &str) -> std::process::ExitCode {
    let entry = experiments().into_iter().find(|entry| entry.name() == name);
    lab::main(entry.unwrap_or_else(|| panic!("no experiment is called {name}")))
}

/// All experiments, in the order in which `reproduce-all` runs them.
pub fn experiments() -> Vec<lab::Entry> {
    vec![
        lab::entry::<invariant_subspace::InvariantSubspaces>(),
        lab::entry::<svd_evolution::SvdEvolution>(),
        lab::entry::<depth_width_sweep::DepthWidthSweep>(),
        lab::entry::<factorization::Factorization>(),
        lab::entry::<completion::Completion>(),
        lab::entry::<compressed_vs_narrow::CompressedVsNarrow>(),
        lab::entry::<ablations::Ablations>(),
        lab::entry::<scaling::Scaling>(),
        lab::entry::<ratings::Ratings>(),
        lab::entry::<sensing::Sensing>(),
        lab::entry::<adaptation_subspaces::AdaptationSubspaces>(),
        lab::entry::<few_shot::FewShot>(),
        lab::entry::<what_matters::WhatMatters>(),
        lab::entry::<step_size::StepSize>(),
        lab::entry::<learned_ranks::LearnedRanks>(),
        lab::entry::<rank_sweep::RankSweep>(),
        lab::entry::<lora_compressed_vs_narrow::LoraCompressedVsNarrow>(),
        lab::entry::<glue_table::GlueTable>(),
        lab::entry::<nlg::Nlg>(),
        lab::entry::<training_length::TrainingLength>(),
        lab::entry::<costs::Costs>(),
    ]
}
