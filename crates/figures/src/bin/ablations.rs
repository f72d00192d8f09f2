//! Ablations of the compressed and the original network (in addition to the paper).

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
