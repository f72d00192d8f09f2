//! The length of training: the dev score against the steps, at equal steps and at equal training loss.

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
