//! Figure 2: the spectrum of every full-width `ΔW`, and how early its leading left singular subspace is found.

fn main() -> std::process::ExitCode {
    lab::main::<figures::adaptation_subspaces::AdaptationSubspaces>()
}
