#!/usr/bin/env python3
"""A small driver of the original protocol, for tests: it registers, waits for a plan and for "YES", sends, and reports.

It behaves like public programs of that protocol: it knows only the original fields and fails if one is missing, reads
both topics concurrently, ignores STOP, sends one request at a time, reports every few requests, and sends heartbeats
only during a test (or always, with --always).

Usage: driver.py --kafka HOST:PORT --prefix P --node-id ID --target URL [--spelling mean|Mean|short] [--always]
Needs kafka-python. Ends when its standard input is closed.
"""
import argparse
import json
import statistics
import sys
import threading
import time
import urllib.request

from kafka import KafkaConsumer, KafkaProducer

# Names of the four figures. None omits the median, as some programs do.
SPELLINGS = {
    "mean": ("mean_latency", "median_latency", "min_latency", "max_latency"),
    "Mean": ("Mean_latency", "Median_latency", "Min_latency", "Max_latency"),
    "short": ("mean", None, "min", "max"),
}
REPORT_EVERY = 10


class Driver:
    def __init__(self, options):
        self.options = options
        self.plans = {}
        self.testing = threading.Event()
        # Topics that were created a moment ago may be missing from the first metadata; the default is 5 min.
        settings = {"bootstrap_servers": options.kafka, "metadata_max_age_ms": 1000}
        self.producer = KafkaProducer(**settings)
        topics = [options.prefix + topic for topic in ("test_config", "trigger")]
        self.consumer = KafkaConsumer(*topics, auto_offset_reset="latest", **settings)
        # Get positions before registering, so that a plan sent right after the registration is read.
        while not self.consumer.assignment():
            self.consumer.poll(timeout_ms=100)
        for partition in self.consumer.assignment():
            self.consumer.position(partition)

    def send(self, topic, message):
        value = json.dumps(message).encode()
        self.producer.send(self.options.prefix + topic, key=self.options.node_id.encode(), value=value)
        self.producer.flush()

    def register(self):
        self.send("register", {"node_id": self.options.node_id, "node_IP": "127.0.0.1",
                               "message_type": "DRIVER_NODE_REGISTER"})

    def heartbeats(self):
        while True:
            if self.options.always or self.testing.is_set():
                self.send("heartbeat", {"node_id": self.options.node_id, "heartbeat": "YES",
                                        "timestamp": time.strftime("%Y-%m-%d %H:%M:%S")})
            time.sleep(1)

    def run(self):
        for record in self.consumer:
            message = json.loads(record.value)
            if record.topic.endswith("test_config"):
                self.plans[message["test_id"]] = message
            elif message["trigger"] == "YES":
                threading.Thread(target=self.test, args=(self.plans[message["test_id"]],), daemon=True).start()

    def test(self, plan):
        count, delay_ms = plan["message_count_per_driver"], plan["test_message_delay"]
        # Go programs parse these fields as integers.
        assert isinstance(count, int) and isinstance(delay_ms, int), plan
        self.testing.set()
        latencies = []
        for _ in range(count):
            began = time.monotonic()
            with urllib.request.urlopen(self.options.target, timeout=10) as answer:
                answer.read()
            latencies.append((time.monotonic() - began) * 1000)
            if len(latencies) % REPORT_EVERY == 0 or len(latencies) == count:
                self.report(plan["test_id"], latencies)
            if plan["test_type"] == "TSUNAMI":
                time.sleep(delay_ms / 1000)
        self.testing.clear()
        print(f"sent {count}", flush=True)

    def report(self, test_id, latencies):
        values = (statistics.mean(latencies), statistics.median(latencies), min(latencies), max(latencies))
        names = SPELLINGS[self.options.spelling]
        figures = {name: value for name, value in zip(names, values) if name}
        self.send("metrics", {"node_id": self.options.node_id, "test_id": test_id, "metrics": figures})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in ("--kafka", "--prefix", "--node-id", "--target"):
        parser.add_argument(flag, required=True)
    parser.add_argument("--spelling", choices=SPELLINGS, default="mean")
    parser.add_argument("--always", action="store_true")
    driver = Driver(parser.parse_args())
    threading.Thread(target=driver.heartbeats, daemon=True).start()
    threading.Thread(target=driver.run, daemon=True).start()
    driver.register()
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
