# Recipes are thin: cargo does the work.

# List the recipes.
default:
    @just --list --unsorted

# Regenerate every experiment: quick (minutes), paper (an hour), smoke (seconds).
reproduce-all profile="quick" *options:
    cargo run --release --bin reproduce-all -- --profile {{profile}} {{options}}

# Regenerate one experiment, for example: just figure completion paper
figure name profile="quick" *options:
    cargo run --release --bin {{name}} -- --profile {{profile}} {{options}}

# Run the tests.
test *options:
    cargo test --workspace --release {{options}}

# Run the benchmarks (criterion), for example: just bench --bench step -- original
bench *options:
    cargo bench -p dynamics {{options}}

# Check format and lints.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --release -- -D warnings

# Build the documentation.
doc:
    cargo doc --workspace --no-deps
