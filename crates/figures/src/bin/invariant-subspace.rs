//! Invariant subspaces (Theorem 2.1 of the paper).

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
