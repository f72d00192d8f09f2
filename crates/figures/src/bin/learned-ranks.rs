//! The numerical rank of every learned `ΔW`: LoRA against Deep LoRA.

fn main() -> std::process::ExitCode {
    lab::main::<figures::learned_ranks::LearnedRanks>()
}
