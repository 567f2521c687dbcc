# A menu of one-liners; `just` without a word lists it.

# Lists what there is.
default:
    @just --list

# A whole cluster on this machine, with the console on it.
demo *arguments:
    cargo run --release -- demo {{arguments}}

# The console's screens over a toy cluster; no agent is started.
screens *arguments:
    cargo run -p evenkeel --example sim_console -- {{arguments}}

# Everything that CI runs. Changes nothing.
ci:
    .ci/run

# Every test of the workspace.
test:
    cargo test --workspace

# The tests of one package whose names contain a word.
test-only package word:
    cargo test -p {{package}} {{word}}

# Whole agents under seeded faults, in a workspace of its own.
simulate *arguments:
    cd tests/simulation && cargo test {{arguments}}

# Many seeds of one scenario or `all`, two processes at a time; `just sweep all 1..=2000`.
sweep scenario seeds:
    cd tests/simulation && cargo run --release -- --scenario {{scenario}} --seeds {{seeds}} --jobs 2

# Real agents on links that are cut, for so many seconds (docs/chaos.md).
chaos secs="1800":
    EVENKEEL_CHAOS_SECS={{secs}} cargo test -p evenkeel-tests --test chaos

# Formats, and does what clippy can do by itself.
fix:
    cargo fmt --all && cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged

# The lints, as CI has them.
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# The source's own documentation, in a browser.
doc:
    cargo doc --workspace --no-deps --open

# Accepts changed golden scripts and screens; read the difference before the commit.
golden:
    UPDATE_GOLDENFILES=1 INSTA_UPDATE=always cargo test --workspace

# Licences, and the fences around single crates (needs cargo-deny).
deny:
    cargo deny check bans licenses sources
