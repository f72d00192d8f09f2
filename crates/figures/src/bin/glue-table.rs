//! The table of GLUE: LoRA and Deep LoRA on eight tasks, with few examples.

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
