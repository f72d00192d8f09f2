//! Which choice Deep LoRA's advantage rests on: pooler and head, LoRA's start, width, AdamW's ϵ.

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
