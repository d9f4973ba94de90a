#!/usr/bin/env bash
# Printed commands, as every shell that Debian has reads them. The test passes over shells that are not installed;
# this script needs all of them.
#
#   e2e/shells/run.sh

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

for shell in bash dash zsh mksh busybox fish ksh yash; do
    check "$shell is installed" command -v "$shell"
done
cd "$source_root"
check "all of them read each word as it was" cargo test --locked --package foreign-text shells_read
summary
