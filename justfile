# Recipes are thin: cargo does the work.

fixtures := "crates/adaptation/tests/fixtures"

# List the recipes.
default:
    @just --list --unsorted

# Regenerate every experiment: quick (minutes), paper (hours), smoke (seconds).
reproduce-all profile="quick" *options:
    cargo run --release --bin reproduce-all -- --profile {{profile}} {{options}}

# Regenerate one experiment, for example: just figure completion paper
figure name profile="quick" *options:
    cargo run --release --bin {{name}} -- --profile {{profile}} {{options}}

# Submit one experiment to Slurm as a job array, for example: just slurm few-shot paper --shards 32 --partition=short
slurm name profile="quick" *options:
    scripts/slurm.sh {{name}} {{profile}} {{options}}

# Write results/PROFILE/report.html from the tables and figures that are there, for example: just report paper
report profile="quick" *options:
    cargo run --release --bin reproduce-all -- --report --profile {{profile}} {{options}}

# Look at that report in headless Chromium: console, filter, links, width on a phone; screenshots go to target/.
check-report profile="paper":
    scripts/check-report.sh {{profile}}

# Write the generated documents and parts of documents, and the report of the paper's profile.
documents:
    cargo run --release --bin documents

# Run the Python examples of the documents on results/paper (the first time installs pandas under target/).
check-examples *options:
    python3 -m venv target/examples-environment
    target/examples-environment/bin/pip install --quiet --requirement scripts/requirements.txt
    target/examples-environment/bin/python scripts/check_examples.py {{options}}

# Run job arrays on a real Slurm, installed and started on this machine alone (needs root and apt-get); kill, requeue, compare.
check-slurm:
    scripts/check-slurm.sh

# Check the links of all Markdown files.
check-links:
    python3 scripts/check_links.py

# Run the tests.
test *options:
    cargo test --workspace --release {{options}}

# Mutated settings, command lines, encoders, data and tables through the real binaries; `just test` has a short form of it.
fuzz *options:
    FUZZ_LONG=1 cargo test --workspace --release --test all -- fuzz:: --nocapture {{options}}

# Run everything that a change must pass, with the time of each part.
ci:
    .ci/run

# Measure iterations and training steps by criterion, which compares with its last run, on a quiet machine.
bench:
    cargo bench -p dynamics --bench step
    cargo bench -p adaptation --bench lora_step --bench encoder_forward

# Measure them beside NumPy, SciPy, JAX and PyTorch, in turns, and keep the run (the first time installs these under target/).
bench-peers *options:
    cargo run --release -p benchmarks --bin bench-peers -- {{options}}

# Make the performance tables of README.md and docs/performance.md, and the charts, from the runs that are kept.
bench-table *options:
    cargo run --release -p benchmarks --bin bench-table -- {{options}}

# Check format and lints.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --release -- -D warnings

# Adapters to the real PEFT on PyTorch and back, of all architectures: same logits? (the first time installs PyTorch under target/)
check-peft:
    python3 -m venv target/peft-environment
    target/peft-environment/bin/pip install --quiet --requirement crates/adaptation/python/requirements.txt
    rm -rf target/peft-adapters target/peft-written
    cargo run --release -p adaptation --example export -- target/peft-adapters/bert
    cargo run --release -p adaptation --example export -- target/peft-adapters/mpnet {{fixtures}}/tiny-mpnet
    cargo run --release -p adaptation --example export_decoder -- target/peft-adapters/llama {{fixtures}}/tiny-llama
    cargo run --release -p adaptation --example export_t5 -- target/peft-adapters/t5 {{fixtures}}/tiny-t5
    cargo run --release -p adaptation --example export_t5 -- target/peft-adapters/t5-gated {{fixtures}}/tiny-t5-gated
    target/peft-environment/bin/python crates/adaptation/python/check_peft.py target/peft-adapters/*/*
    target/peft-environment/bin/python crates/adaptation/python/make_peft_fixtures.py target/peft-written --seed 2 --whole
    PEFT_ADAPTERS={{justfile_directory()}}/target/peft-written cargo test --release -p adaptation --test all -- peft_import --nocapture

# Build the documentation, from the artifacts that the lints share.
doc:
    cargo doc --workspace --no-deps --release
