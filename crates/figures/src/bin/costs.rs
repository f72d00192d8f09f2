//! What each method costs: parameters, optimizer memory, seconds a step, peak memory.

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
