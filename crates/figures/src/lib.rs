//! The experiments of the paper, one module and one binary per figure.
//!
//! A module reads from top to bottom: its settings, its trials, what it writes, what it draws, what it claims. The
//! numerics are in `dynamics` and `adaptation`, the machinery around trials in `lab`, the plotting in `charts`; what several
//! experiments share is in [`matrix`] and [`mod@adaptation`], [`summary`] and [`statements`].

pub mod ablations;
//PORT pub mod adaptation;
//PORT pub mod adaptation_subspaces;
pub mod completion;
pub mod compressed_vs_narrow;
pub mod depth_width_sweep;
pub mod drawing;
pub mod factorization;
//PORT pub mod few_shot;
//PORT pub mod glue_table;
pub mod invariant_subspace;
//PORT pub mod learned_ranks;
//PORT pub mod lora_compressed_vs_narrow;
pub mod matrix;
pub mod memory;
pub mod palette;
//PORT pub mod rank_sweep;
pub mod reference;
pub mod scaling;
pub mod statements;
//PORT pub mod step_size;
pub mod summary;
pub mod svd_evolution;

/// The statements that all experiments test.
pub const CLAIMS: &str = include_str!("../../../experiments/claims.toml");

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
        //PORT         lab::entry::<adaptation_subspaces::AdaptationSubspaces>(),
        //PORT         lab::entry::<few_shot::FewShot>(),
        //PORT         lab::entry::<step_size::StepSize>(),
        //PORT         lab::entry::<learned_ranks::LearnedRanks>(),
        //PORT         lab::entry::<rank_sweep::RankSweep>(),
        //PORT         lab::entry::<lora_compressed_vs_narrow::LoraCompressedVsNarrow>(),
        //PORT         lab::entry::<glue_table::GlueTable>(),
    ]
}
