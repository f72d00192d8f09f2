//! Generation: a language model writes the texts of E2E after a few examples, LoRA against Deep LoRA.

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
