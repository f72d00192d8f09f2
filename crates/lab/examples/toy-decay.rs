//! The toy experiment's binary: `cargo run --example toy-decay -- --config crates/lab/examples/toy-decay.toml`.

mod toy;

fn main() -> std::process::ExitCode {
    lab::main(lab::entry::<toy::Decay>())
}
