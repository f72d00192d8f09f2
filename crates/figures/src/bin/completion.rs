//! Figure 5: matrix completion, the original network against its compressed network.

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
