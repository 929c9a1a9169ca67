"""Third-party clients (kafka-python) on real brokers: compressed topics and producers, transactions, small records.

Usage: "$(.ci/python-env)" .ci/foreign.py FOLDER VERSION=HOST:PORT[,VERSION=HOST:PORT]...

FOLDER contains floodgate-orchestrator, floodgate-driver and floodgate-target. Every case uses separate topics.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

FOLDER, BROKERS = sys.argv[1:3]
CODECS = ["gzip", "snappy", "lz4", "zstd"]
TOPICS = ["register", "test_config", "trigger", "metrics", "heartbeat"]
# Far longer than any step takes when it works.
PATIENCE_S = 40


class Role:
    """A process whose log is captured to the end."""

    def __init__(self, program, *words):
        command = [os.path.join(FOLDER, program), *words]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.log = []
        self.reader = threading.Thread(target=lambda: self.log.extend(iter(self.process.stderr.readline, "")))
        self.reader.daemon = True
        self.reader.start()

    def said(self, pattern):
        return wait(f"{pattern} in the log", lambda: re.search(pattern, "".join(self.log)), lambda: "".join(self.log))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.reader.join(PATIENCE_S)


def wait(what, found, more=lambda: ""):
    deadline = time.monotonic() + PATIENCE_S
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < deadline, f"timed out waiting for: {what}\n{more()}"
        time.sleep(0.05)


class Bus:
    """Five topics under a unique prefix, and a kafka-python consumer of all of them."""

    def __init__(self, broker, case, **settings):
        self.broker = broker
        self.prefix = f"f{os.getpid()}-{time.time_ns()}-{case}-"
        self.records = []
        # A setting named topic__setting applies to that topic only.
        config = {"message.timestamp.type": "LogAppendTime"}
        common = {key.replace("_", "."): value for key, value in settings.items() if "__" not in key}
        own = {tuple(key.split("__")): value for key, value in settings.items() if "__" in key}

        def new(topic):
            of_this = {key.replace("_", "."): value for (name, key), value in own.items() if name == topic}
            return NewTopic(self.prefix + topic, 1, 1, topic_configs={**config, **common, **of_this})

        admin = KafkaAdminClient(bootstrap_servers=broker)
        admin.create_topics([new(topic) for topic in TOPICS])
        admin.close()
        self.reader = KafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False, auto_offset_reset="earliest",
                                    isolation_level="read_committed")
        self.reader.assign([TopicPartition(self.prefix + topic, 0) for topic in TOPICS])

    def producer(self, codec=None, **more):
        return KafkaProducer(bootstrap_servers=self.broker, compression_type=codec, acks="all", **more)

    def send(self, producer, topic, value):
        """Sends a record and waits until it is appended."""
        key = value.get("node_id", value.get("test_id"))
        sent = producer.send(self.prefix + topic, key=key.encode(), value=json.dumps(value).encode(),
                             headers=[("sender", b"foreign.py")])
        producer.flush()
        return sent.get(PATIENCE_S)

    def read(self):
        for records in self.reader.poll(100).values():
            for record in records:
                topic = record.topic.removeprefix(self.prefix)
                self.records.append((topic, record.key.decode(), json.loads(record.value)))

    def find(self, topic, wanted):
        def found():
            self.read()
            return next((value for name, _, value in self.records if name == topic and wanted(value)), None)

        return wait(f"a record of {topic}", found, lambda: json.dumps(self.records, indent=1)[-4000:])

    def flags(self):
        return "--kafka", self.broker, "--topic-prefix", self.prefix

    def orchestrator(self):
        return Role("floodgate-orchestrator", *self.flags(), "--listen", "127.0.0.1:0")

    def driver(self, name, url):
        return Role("floodgate-driver", *self.flags(), "--node-id", name, "--node-ip", "127.0.0.1", "--target", url)


def target():
    return Role("floodgate-target", "--listen", "127.0.0.1:0")


def url_of(role):
    return role.said(r"ready: (http://[0-9.:]+)").group(1)


def get(url):
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": "application/json"}), timeout=10) as it:
        return json.load(it)


def configure(base, plan):
    body = json.dumps(plan).encode()
    request = urllib.request.Request(base + "/configure", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"configure: {error.code} {error.read()}")


def fleet(base):
    return get(base + "/dashboard")["fleet"]


def named(base):
    """The drivers that a plan would include: alive, and heard from since they registered."""
    return sorted(row["node_id"] for row in fleet(base) if row["state"] == "alive" and row.get("activity"))


def finished(base, test_id):
    def over():
        test = get(base + "/dashboard").get("test") or {}
        return test if test.get("test_id") == test_id and test["state"] in ("completed", "failed") else None

    return wait(f"the end of {test_id}", over, lambda: json.dumps(get(base + "/dashboard"))[:3000])


def whole_run(broker, codec):
    """Orchestrator and two drivers on topics that the broker recompresses; kafka-python reads all five."""
    bus = Bus(broker, f"run-{codec}", compression_type=codec)
    with target() as aim, bus.orchestrator() as conductor:
        base, url = url_of(conductor), url_of(aim) + "/ping"
        with bus.driver("d1", url), bus.driver("d2", url):
            wait("two drivers", lambda: named(base) == ["d1", "d2"], lambda: "".join(conductor.log))
            configure(base, {"test_id": "t", "test_type": "TSUNAMI", "test_message_delay": 20, "duration_ms": 1000})
            test = finished(base, "t")
            counts = test["conservation"]
            figures = [counts[key] for key in ("planned", "sent", "responses", "target_seen")]
            assert test["state"] == "completed" and figures == [100] * 4, test
            assert counts["reports_missing"] == 0, counts
            for name in ("d1", "d2"):
                bus.find("metrics", lambda value: value.get("final") and value["node_id"] == name)
    bus.find("heartbeat", lambda value: value["node_id"] == "d2" and value.get("state") == "left")
    assert {topic for topic, _, _ in bus.records} == set(TOPICS), {topic for topic, _, _ in bus.records}
    for topic, key, value in bus.records:
        # The END of a test stands among the reports; a copy of it is in trigger.
        if topic == "metrics" and value.get("trigger") == "END":
            assert key == value["test_id"], (key, value)
            continue
        lacking = {"register": {"node_id", "node_IP", "message_type"}, "test_config": {"test_id", "test_type"},
                   "trigger": {"test_id", "trigger"}, "metrics": {"node_id", "test_id", "report_id", "metrics"},
                   "heartbeat": {"node_id", "heartbeat", "timestamp"}}[topic] - set(value)
        assert not lacking and key in (value.get("node_id"), value.get("test_id")), (topic, key, value)
    warned = [line for line in aim.log + conductor.log if "skipped" in line]
    assert not warned, warned
    return f"a whole run, {len(bus.records)} records read by kafka-python"


def compressing_producer(broker, codec):
    """kafka-python sends compressed records: it controls our driver, and our orchestrator lists its driver."""
    bus = Bus(broker, f"producer-{codec}", compression_type="producer")
    producer = bus.producer(codec)
    with target() as aim, bus.driver("d1", url_of(aim) + "/ping"):
        bus.find("register", lambda value: value["node_id"] == "d1")
        bus.send(producer, "test_config", {"test_id": "t", "test_type": "TSUNAMI", "test_message_delay": 10,
                                           "message_count_per_driver": 50})
        bus.find("heartbeat", lambda value: value.get("state") == "ready" and value["test_id"] == "t")
        bus.send(producer, "trigger", {"test_id": "t", "trigger": "YES"})
        final = bus.find("metrics", lambda value: value.get("final"))
        assert final["counts"]["responses"] == 50, final["counts"]
    with bus.orchestrator() as conductor:
        base = url_of(conductor)
        bus.send(producer, "register", {"node_id": "foreign", "node_IP": "10.9.8.7",
                                        "message_type": "DRIVER_NODE_REGISTER"})
        bus.send(producer, "heartbeat", {"node_id": "foreign", "heartbeat": "YES", "timestamp": 1})
        rows = wait("the foreign driver", lambda: [row for row in fleet(base)
                                                   if row["node_id"] == "foreign" and row["state"] == "alive"])
        assert rows[0]["node_ip"] == "10.9.8.7", rows
    producer.close()
    return "commands and heartbeats from a compressing producer"


def transactions(broker):
    """Commands in an aborted transaction are ignored; those in a committed one are obeyed."""
    bus = Bus(broker, "transactions")
    plain = bus.producer()
    producer = bus.producer(transactional_id=bus.prefix)
    producer.init_transactions()
    plan = {"test_type": "TSUNAMI", "test_message_delay": 10, "message_count_per_driver": 20}
    with target() as aim, bus.driver("d1", url_of(aim) + "/ping") as driver:
        bus.find("register", lambda value: value["node_id"] == "d1")
        producer.begin_transaction()
        bus.send(producer, "test_config", {"test_id": "aborted", **plan})
        producer.abort_transaction()
        producer.begin_transaction()
        bus.send(producer, "test_config", {"test_id": "committed", **plan})
        producer.commit_transaction()
        bus.find("heartbeat", lambda value: value.get("state") == "ready")
        producer.begin_transaction()
        bus.send(producer, "trigger", {"test_id": "committed", "trigger": "STOP"})
        producer.abort_transaction()
        bus.send(plain, "trigger", {"test_id": "committed", "trigger": "YES"})
        final = bus.find("metrics", lambda value: value.get("final"))
        assert final["test_id"] == "committed" and final["counts"]["responses"] == 20, final
    log = "".join(driver.log)
    assert "aborted" not in log and "is stopped" not in log, log
    plain.close()
    producer.close()
    return "aborted transactions are ignored, committed ones are obeyed"


def small_records(broker, most):
    """A topic whose size limit is below a complete final report."""
    bus = Bus(broker, f"small-{most}", metrics__max_message_bytes=str(most))
    with target() as aim, bus.orchestrator() as conductor:
        base = url_of(conductor)
        with bus.driver("a1", url_of(aim) + "/ping") as driver:
            wait("the driver", lambda: named(base) == ["a1"])
            configure(base, {"test_id": "t", "test_type": "AVALANCHE", "duration_ms": 1500})
            test = finished(base, "t")
            assert test["state"] == "completed" and test["drivers"][0]["state"] != "lost", test
            if most >= 1500:
                assert "reports go on without" in "".join(driver.log), driver.log
                counts = test["conservation"]
                assert counts["responses"] == counts["target_seen"] == test["total"]["responses"] > 100, counts
                assert any("raise max.message.bytes" in line for line in test["verdict"]), test["verdict"]
            else:
                said = bus.find("heartbeat", lambda value: value.get("reason"))
                assert said["test_id"] == "t" and re.search(r"refused [0-9,]+ bytes; raise max", said["reason"]), said
    return f"max.message.bytes={most}: {test['verdict'][0]}"


def bad_batches(broker):
    """Records without a value, without a key, or that are not JSON, before a valid one."""
    bus = Bus(broker, "bad", compression_type="producer")
    producer = bus.producer("zstd", linger_ms=200)
    with bus.orchestrator() as conductor:
        base = url_of(conductor)
        name = bus.prefix + "heartbeat"
        for value in (None, b"", b"no JSON", b"\xff\x00"):
            producer.send(name, value=value, key=None if value else b"k")
        producer.send(name, key=b"f", value=json.dumps({"node_id": "f", "heartbeat": "YES"}).encode())
        producer.flush()
        wait("the driver after bad records",
             lambda: any(row["node_id"] == "f" and row["state"] == "alive" for row in fleet(base)), lambda: "".join(conductor.log))
    producer.close()
    return "unreadable records are skipped"


def main():
    for version, broker in (entry.split("=") for entry in BROKERS.split(",")):
        cases = [(case, codec) for codec in CODECS for case in (whole_run, compressing_producer)]
        cases += [(transactions,), (bad_batches,), (small_records, 2000), (small_records, 600)]
        with ThreadPoolExecutor(4) as pool:
            running = [(case, pool.submit(case[0], broker, *case[1:])) for case in cases]
            failed = 0
            for (case, *words), future in running:
                try:
                    print(f"Kafka {version}, {case.__name__} {words}: {future.result()}", flush=True)
                except Exception as error:
                    failed += 1
                    print(f"Kafka {version}, {case.__name__} {words} FAILED: {error!r}", flush=True)
        if failed:
            sys.exit(f"{failed} cases failed on Kafka {version}")


main()
