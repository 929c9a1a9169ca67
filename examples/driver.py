#!/usr/bin/env python3
"""A driver in another language, after docs/protocol.md: it sends a fixed number of requests at a fixed interval.

    pip install kafka-python hdrhistogram
    examples/driver.py 127.0.0.1:9092 python-1 http://127.0.0.1:8000/ping
    floodgate run --orchestrator http://127.0.0.1:8080 --delay 20ms --requests-per-driver 100

It refuses every other plan. A topic prefix may follow the target.
"""

import json
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

from hdrh.histogram import HdrHistogram
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

BROKER, NODE, TARGET = sys.argv[1:4]
PREFIX = sys.argv[4] if len(sys.argv) > 4 else ""
# What it understands of a plan; thresholds concern the orchestrator alone.
KNOWN = {"test_id", "test_type", "test_message_delay", "message_count_per_driver", "drivers", "previous", "thresholds"}


def now_ms():
    return time.time() * 1000


EPOCH = int(now_ms())
producer = KafkaProducer(bootstrap_servers=BROKER, acks="all")
# The broker's clock minus ours is at least `low` and at most `high`.
low, high = float("-inf"), float("inf")
state = {"state": "idle"}


def send(topic, value):
    global low, high
    sent = now_ms()
    stamp = producer.send(PREFIX + topic, key=NODE.encode(), value=json.dumps(value).encode()).get(10).timestamp
    low, high = max(low, stamp - now_ms()), min(high, stamp + 1 - sent)


def heartbeat():
    send("heartbeat", {
        "node_id": NODE, "heartbeat": "YES", "timestamp": now_ms(), "epoch": EPOCH, **state,
        "clock_offset_ms": (low + high) / 2, "clock_error_ms": (high - low) / 2,
    })


def enter(**new):
    global state
    state = new
    heartbeat()


def whole(value):
    """Whole numbers without a point, as the plan's hash needs them."""
    if isinstance(value, dict):
        return {name: whole(one) for name, one in value.items()}
    if isinstance(value, list):
        return [whole(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def plan_hash(plan):
    """The 64-bit FNV-1a hash of the plan as compact JSON; the orchestrator wrote its fields in the right order."""
    hashed = 0xCBF29CE484222325
    for byte in json.dumps(whole(plan), separators=(",", ":"), ensure_ascii=False).encode():
        hashed = (hashed ^ byte) * 0x100000001B3 % 2**64
    return f"{hashed:016x}"


def prepare(plan):
    for name in plan.pop("derived", []):
        plan.pop(name, None)
    unknown = set(plan) - KNOWN
    if unknown or plan["test_type"] != "TSUNAMI" or not {"test_message_delay", "message_count_per_driver"} <= set(plan):
        reason = f"only a delay and a number of requests are supported, not {', '.join(sorted(unknown)) or 'this plan'}"
        return enter(state="refused", test_id=plan["test_id"], reason=reason)
    enter(state="ready", test_id=plan["test_id"], plan_hash=plan_hash(plan))
    return plan


def request():
    """Returns the status or the kind of the error, and the size of the body."""
    try:
        with urllib.request.urlopen(TARGET, timeout=10) as response:
            return response.status, len(response.read())
    except urllib.error.HTTPError as response:
        return response.code, len(response.read())
    except TimeoutError:
        return "timeout", 0
    except OSError:
        return "connect", 0


def load(plan, opens_ms):
    """Sends this driver's share, then the one report, which is the final one."""
    test, count, gap_ms = plan["test_id"], plan["message_count_per_driver"], plan["test_message_delay"]
    place = [driver["node_id"] for driver in plan["drivers"]].index(NODE) / len(plan["drivers"])
    begin_ms = opens_ms - (low + high) / 2
    times = {name: HdrHistogram(1, 3_600_000_000, 3) for name in ("latency", "service", "lag")}
    status, errors, queued, size, first_ms, ended_ms = {}, {}, 0, 0, None, begin_ms
    enter(state="running", test_id=test)
    for index in range(count):
        planned_ms = begin_ms + (place + index) * gap_ms
        time.sleep(max(0, planned_ms - now_ms()) / 1000)
        sent_ms = now_ms()
        first_ms = first_ms or sent_ms
        outcome, body = request()
        # One connection: a request that was due earlier has waited for it, which is no lag.
        free_ms, ended_ms = ended_ms, now_ms()
        queued += free_ms > planned_ms
        record = lambda name, ms: times[name].record_value(max(1, round(ms * 1000)))
        record("lag", sent_ms - max(planned_ms, free_ms))
        if isinstance(outcome, int):
            status[str(outcome)] = status.get(str(outcome), 0) + 1
            record("latency", ended_ms - planned_ms)
            record("service", ended_ms - sent_ms)
            size += body
        else:
            errors[outcome] = errors.get(outcome, 0) + 1
    enter(state="finishing", test_id=test)
    send("metrics", {
        "node_id": NODE, "epoch": EPOCH, "test_id": test, "report_id": str(uuid.uuid4()), "sequence": 1, "final": True,
        "origin_ms": opens_ms, "first_send_ms": first_ms + (low + high) / 2, "elapsed_ms": ended_ms - begin_ms,
        "counts": {
            "planned": count, "sent": count, "queued": queued, "responses": sum(status.values()), "status": status,
            "errors": errors, "bytes_received": size,
        },
        "histograms": {name: histogram.encode().decode() for name, histogram in times.items()},
    })
    enter(state="idle")


def main():
    consumer = KafkaConsumer(bootstrap_servers=BROKER, enable_auto_commit=False)
    topics = {PREFIX + topic: topic for topic in ("test_config", "trigger")}
    consumer.assign([TopicPartition(name, 0) for name in topics])
    consumer.seek_to_end()
    for name in topics:
        consumer.position(TopicPartition(name, 0))
    send("register", {
        "node_id": NODE, "node_IP": "127.0.0.1", "node_ip": "127.0.0.1", "message_type": "DRIVER_NODE_REGISTER",
        "epoch": EPOCH, "version": "0.1.0", "cores": 1, "max_connections": 1,
    })

    def beat():
        while True:
            heartbeat()
            time.sleep(1)

    threading.Thread(target=beat, daemon=True).start()
    plan = None
    for record in consumer:
        value = json.loads(record.value)
        if topics[record.topic] == "test_config":
            mine = {"node_id": NODE, "epoch": EPOCH}
            if any(mine.items() <= driver.items() for driver in value.get("drivers", [])):
                plan = prepare(value)
        elif plan and value.get("test_id") == plan["test_id"] and value["trigger"].upper() == "YES":
            threading.Thread(target=load, args=(plan, value["start_at_ms"])).start()
            plan = None


main()
