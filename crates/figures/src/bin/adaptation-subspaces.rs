//! Figure 2: the spectrum of every full-width `ΔW`, and how early its leading left singular subspace is found.

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
