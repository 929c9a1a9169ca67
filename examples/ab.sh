#!/usr/bin/env bash
# Compares two servers in one test: half of the requests go to each, at the same time. The first line is the answer.
# Runs of less than 10 s are not judged.
set -euo pipefail
TARGET=${TARGET:-http://127.0.0.1:8000/ping}
TARGET_B=${TARGET_B:-http://127.0.0.1:8001/ping}

floodgate run "$TARGET" --ab "$TARGET_B" --rate 400 --duration 10s
