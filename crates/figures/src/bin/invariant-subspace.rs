//! Invariant subspaces (Theorem 2.1 of the paper).

fn main() -> std::process::ExitCode {
    lab::main::<figures::invariant_subspace::InvariantSubspaces>()
}
