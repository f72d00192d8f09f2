//! Every experiment has a binary of its name, which runs that experiment.

use std::path::Path;
use std::process::Command;

#[test]
fn every_experiment_has_its_binary() {
    let directory = Path::new(env!("CARGO_BIN_EXE_reproduce-all")).parent().expect("a directory");
    for entry in figures::experiments() {
        let program = directory.join(entry.name()).with_extension(std::env::consts::EXE_EXTENSION);
        let output = Command::new(program).arg("--help").output().unwrap_or_else(|e| panic!("{}: {e}", entry.name()));
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains(&format!("Usage: {} ", entry.name())), "{text}");
    }
}
