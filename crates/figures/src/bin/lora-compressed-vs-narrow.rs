//! Full-width Deep LoRA (the original), its compressed network, and a random narrow one: training loss and dev score against
//! the steps.

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
