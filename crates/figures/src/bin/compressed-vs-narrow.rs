//! Compressed against random narrow factorizations (Fig. 6 of the paper).

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
