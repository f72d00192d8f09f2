//! Every experiment: settings to trials to tables to figures.

fn main() -> std::process::ExitCode {
    lab::main_all(&figures::experiments(), figures::CLAIMS)
}
