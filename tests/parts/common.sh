# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# For the parts of tools/test, sourced. A part prints what it does, ends with `N passed, N failed, N skipped`, and says with its
# exit code whether all is well. `# budget: N s` is what it may take; `# needs: PART` names a part whose results it works on.
set -euo pipefail

cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."

# The captures beside the checkout, unless the environment names others.
if [ -z "${VERBCAST_CAPTURES_DIR:-}" ] && [ -f ../shared/captures/manifest.json ]; then
    VERBCAST_CAPTURES_DIR=$(readlink -f ../shared/captures)
    export VERBCAST_CAPTURES_DIR
fi

# And the hosts.
if [ -z "${VERBCAST_TOPOLOGIES_DIR:-}" ] && [ -d ../shared/topologies ]; then
    VERBCAST_TOPOLOGIES_DIR=$(readlink -f ../shared/topologies)
    export VERBCAST_TOPOLOGIES_DIR
fi

# build_preset PRESET [CMAKE-BUILD-ARGUMENT...]
build_preset() {
    local preset=$1
    shift
    cmake --preset "$preset"
    cmake --build --preset "$preset" "$@"
}

# test_preset PRESET [CTEST-ARGUMENT...]: runs its tests, prints the counts, fails when one failed.
test_preset() {
    local preset=$1 code=0 junit=build/test/$1.xml
    shift
    rm -f "$junit"
    ctest --preset "$preset" --parallel "$(nproc)" --output-junit "$PWD/$junit" "$@" || code=$?
    [ -s "$junit" ] || { echo "CTest ended with code $code before it ran a test"; return 1; }
    tests/support/junit_counts "$junit"
}

# Counts of a part that checks one thing after the other: `check NAME COMMAND...`, and `counts` at the end.
checks_passed=0
checks_failed=0

check() {
    local name=$1 code=0 output
    shift
    output=$(mktemp)
    # Bash forgets `set -e` in all that an `if` calls, but not in the background.
    (set -e; "$@") >"$output" 2>&1 &
    wait $! || code=$?
    if [ $code -eq 0 ]; then
        checks_passed=$((checks_passed + 1))
    else
        checks_failed=$((checks_failed + 1))
        printf 'failed: %s\n' "$name"
        cat "$output"
    fi
    rm "$output"
}

counts() {
    echo "$checks_passed passed, $checks_failed failed, 0 skipped"
    [ $checks_failed -eq 0 ]
}
