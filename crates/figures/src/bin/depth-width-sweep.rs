//! Depth-width sweep (Fig. 1 of the paper).

fn main() -> std::process::ExitCode {
    lab::main::<figures::depth_width_sweep::DepthWidthSweep>()
}
