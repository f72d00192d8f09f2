//! Figure 5: matrix completion, the original network against its compressed twin.

fn main() -> std::process::ExitCode {
    lab::main::<figures::completion::Completion>()
}
