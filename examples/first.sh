#!/usr/bin/env bash
# A first test: 200 requests/s for 3 s, and what came of them.
#
# With --rate, requests start on schedule even while the server is slow. Without it, each connection sends its next
# request when the previous response is in: that measures how much the server can do.
set -euo pipefail
TARGET=${TARGET:-http://127.0.0.1:8000/ping}

floodgate run "$TARGET" --rate 200 --duration 3s
