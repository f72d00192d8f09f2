//! The dev score against the step size: how much LoRA and Deep LoRA depend on it.

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
