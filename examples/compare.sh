#!/usr/bin/env bash
# Saves runs before and after a change, and says whether they differ. Each saved run has a report.html; compare.html
# shows both sides. It exits with 3 if the p50 is more than 10 % higher, and surely so.
#
# Five short runs a side tell more than a long one: equal runs differ, too, and one pair cannot show by how much.
set -euo pipefail
TARGET=${TARGET:-http://127.0.0.1:8000/ping}
OUT=${OUT:-runs}

for _ in 1 2 3 4 5; do
    floodgate run "$TARGET" --rate 200 --duration 1s --quiet --out "$OUT/before" >/dev/null
    # Between real runs, switch from one version of the server to the other here.
    floodgate run "$TARGET" --rate 200 --duration 1s --quiet --out "$OUT/after" >/dev/null
done
# Flags come first: everything after -- is a run of the second side.
floodgate compare --fail-if 'p50 > +10%' --html "$OUT/compare.html" "$OUT"/before/* -- "$OUT"/after/*
