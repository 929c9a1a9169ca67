#!/usr/bin/env bash
# Requests the paths of a list, one after the other and over again. urls.txt:random chooses by chance, urls.txt:unique
# requests each once. vegeta's target files work, too.
set -euo pipefail
cd "$(dirname "$0")"
SERVER=${SERVER:-http://127.0.0.1:8000}

floodgate run --urls urls.txt --url "$SERVER" --rate 200 --duration 3s --expect-status 200
