#!/usr/bin/env bash
# Sends requests at recorded times, bursts and lulls included: here 40 requests within 3 s, at twice the speed.
#
# times.jsonl has a line for each request: {"offset_ms": 12.5, "path": "/ping?item=7"}. docs/plans.md says how to make
# one of an access log.
set -euo pipefail
cd "$(dirname "$0")"
SERVER=${SERVER:-http://127.0.0.1:8000}

floodgate run "$SERVER" --replay-times times.jsonl --replay-speed 2
