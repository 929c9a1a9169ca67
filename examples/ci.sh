#!/usr/bin/env bash
# A check for a pipeline. It exits with 3 if a condition is true, and with 1 if there is no result at all.
#
# CI servers show report.xml as a test suite. In GitHub Actions, --markdown "$GITHUB_STEP_SUMMARY" puts the result on
# the page of the job. --json prints the result as one document instead of the table.
set -euo pipefail
TARGET=${TARGET:-http://127.0.0.1:8000/ping}
OUT=${OUT:-runs}

mkdir -p "$OUT"
floodgate run "$TARGET" --rate 200 --warmup 1s --duration 3s --junit "$OUT/report.xml" --markdown "$OUT/summary.md" \
    --fail-if 'p99 > 500ms' --fail-if 'errors > 0.1%' --fail-if 'status.5xx > 0' --fail-if 'achieved < 99%'
