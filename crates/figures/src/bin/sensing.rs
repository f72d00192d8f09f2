//! Matrix sensing: a low-rank matrix from random linear measurements, original against compressed networks.

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
