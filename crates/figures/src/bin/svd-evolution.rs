//! Evolution of singular values and vectors (Fig. 3 of the paper).

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
