//! The dev score against the rank r of the adapters, with few examples: LoRA against Deep LoRA.

fn main() -> std::process::ExitCode {
    lab::main::<figures::rank_sweep::RankSweep>()
}
