//! The dev score against the rank r of the adapters, with few examples: LoRA against Deep LoRA.

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
