#!/usr/bin/env bash
# A fleet on one host: Kafka (just kafka), an orchestrator, three drivers, and a test over all of them. On other hosts,
# drivers need nothing but the address of Kafka: see docs/kafka.md, and deploy/ for units and images.
set -euo pipefail
TARGET=${TARGET:-http://127.0.0.1:8000/ping}
KAFKA=${KAFKA:-127.0.0.1:9092}
LISTEN=${LISTEN:-127.0.0.1:8080}

trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT
export FLOODGATE_KAFKA=$KAFKA FLOODGATE_TOPIC_PREFIX=example- FLOODGATE_LOG_LEVEL=warn
floodgate orchestrator --listen "$LISTEN" &
for i in 1 2 3; do
    floodgate driver --node-id "driver-$i" --node-ip 127.0.0.1 --target "$TARGET" &
done

# A test needs drivers that have joined.
for _ in $(seq 100); do
    idle=$(curl -s "http://$LISTEN/dashboard" | grep -o '"activity":"idle"' | wc -l) || true
    [ "$idle" -lt 3 ] || break
    sleep 0.2
done
floodgate run --orchestrator "http://$LISTEN" --rate 300 --duration 3s
