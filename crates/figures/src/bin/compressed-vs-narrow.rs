//! Compressed against random narrow factorizations (Fig. 6 of the paper).

fn main() -> std::process::ExitCode {
    lab::main::<figures::compressed_vs_narrow::CompressedVsNarrow>()
}
