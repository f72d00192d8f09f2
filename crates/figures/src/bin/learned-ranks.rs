//! The numerical rank of every learned `ΔW`: LoRA against Deep LoRA.

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
