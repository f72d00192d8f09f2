//! Evolution of singular values and vectors (Fig. 3 of the paper).

fn main() -> std::process::ExitCode {
    lab::main::<figures::svd_evolution::SvdEvolution>()
}
