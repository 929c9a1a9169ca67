#!/usr/bin/env bash
# A test over HTTP, without floodgate on this host: needs curl, and an orchestrator with drivers (see fleet.sh). On
# addresses other than 127.0.0.1, each POST also needs -H "Authorization: Bearer $FLOODGATE_TOKEN".
set -euo pipefail
ORCHESTRATOR=${ORCHESTRATOR:-http://127.0.0.1:8080}
id=example-$(date +%s)

# The keys of a plan file, as JSON. A plan file itself goes as: -H 'Content-Type: application/toml' --data-binary @FILE
curl --fail-with-body -sS -X POST "$ORCHESTRATOR/configure" \
    -d '{"test_id": "'"$id"'", "plan": {"rate": 100, "duration": "2s", "fail_if": ["p99 > 500ms"]}}'
echo

# Until it has ended, the state of the test is ready, running or finishing.
for _ in $(seq 50); do
    result=$(curl --fail-with-body -sS "$ORCHESTRATOR/tests/$id")
    state=${result#*\"state\":\"} state=${state%%\"*}
    case $state in ready | running | finishing) sleep 0.3 ;; *) break ;; esac
done
echo "$id: $state"
grep -o '"verdict":\[[^]]*\]' <<<"$result"
