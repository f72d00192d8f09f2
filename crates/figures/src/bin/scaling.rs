//! Width without end: the compressed network of a network that is never built, up to a million wide.

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
