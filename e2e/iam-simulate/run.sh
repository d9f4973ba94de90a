#!/usr/bin/env bash
# Generated trust policies and their corrections, as another evaluator of IAM policies judges them.
#
#   e2e/iam-simulate/run.sh [COUNT]      2000 policies unless told

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

cp "$source_root"/e2e/iam-simulate/{compare.mjs,package.json,package-lock.json} "$scratch"
cd "$scratch"
npm ci --silent --no-audit --no-fund
cargo run --quiet --locked --manifest-path "$source_root/Cargo.toml" --package fuzz -- "${1:-2000}" >policies

judge() { node compare.mjs <policies | tee judged; }
check "the decisions and corrections are right by @cloud-copilot/iam-simulate" judge
tail --lines 1 judged
summary
