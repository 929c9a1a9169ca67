#!/usr/bin/env bash
# Makes a plan file of a curl command: what "Copy as cURL (bash)" in a browser's developer tools gives.
set -euo pipefail
TARGET=${TARGET:-http://127.0.0.1:8000/ping}
OUT=${OUT:-runs}

mkdir -p "$OUT"
floodgate plan curl "$TARGET" -H 'accept: application/json' --compressed --data-raw '{"user": 7}' >"$OUT/plan.toml"
floodgate plan check "$OUT/plan.toml"

# The plan begins at 10 requests/s. Flags override it.
floodgate run "$OUT/plan.toml" --rate 50 --duration 2s
