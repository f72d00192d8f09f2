//! Compressed completion of real ratings, beside biased ALS, soft-impute and the biases alone.

fn main() -> std::process::ExitCode {
    figures::main(env!("CARGO_BIN_NAME"))
}
