//! Few-shot fine-tuning: the dev score against the number of training examples, LoRA against Deep LoRA.

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
