//! Figure 4: factorization of a fully observed matrix, the original network against its exact compressed network.

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
