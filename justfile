# The commands of this project. `just` lists them; CONTRIBUTING.md says when to use which.

set positional-arguments

[private]
default:
    @just --list

# Format, lints, rustdoc, scripts, version, dependencies, workflows (seconds)
check:
    .ci/run check

# All tests of the workspace (minutes, without root)
test:
    .ci/run test

# The tests whose name contains NAME
test-one NAME:
    cargo test --locked --workspace -- "$1"

# Generated input for what is read, COUNT of it for each test (minutes to hours)
fuzz COUNT="20000":
    PROPTEST_CASES="$1" cargo test --locked --release --package fuzz --target-dir target/fuzz --config profile.release.lto=false --config profile.release.codegen-units=16

# The systems tests and the benchmarks (root on Debian; installs packages)
e2e:
    .ci/run e2e

# Install cargo-deny, actionlint and the like into target/tools, so that `check` leaves nothing out
tools:
    .ci/run tools

# One of these tests writes README.md, which others read, so they run one at a time.
#
# Render the generated tables and examples again
docs:
    UPDATE_DOCS=1 cargo test --locked --test it docs -- --test-threads 1

# Accept the screens in tests/it/snapshots as they are now
snapshots:
    INSTA_UPDATE=always cargo test --locked --test it

# Build the image for this machine's architecture
image:
    docker build --tag "irsa-probe:$(.ci/version)" .

# Set VERSION everywhere; RELEASING.md has the next steps
release VERSION: && docs
    .ci/version set "$1"
    .ci/version check
