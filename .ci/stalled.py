#!/usr/bin/env python3
"""What load generators report of a target that stalls: 1 s in every 10 s, at 200 requests/s, for 30 s.

A tenth of all requests that were due then had to wait, uniformly for up to 1 s: p95 is 500 ms, p99 900 ms. Prints the
median of the repeats for floodgate, and for those of k6 and wrk that are installed, as a Markdown table.

    .ci/stalled.py [--repeats 3] [--binaries target/release]
"""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

LISTEN = "127.0.0.1:18500"
URL = f"http://{LISTEN}/ping"
HERE = pathlib.Path(__file__).parent
COLUMNS = ["requests", "p50", "p90", "p95", "p99", "max", "not sent"]


def output(*words):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def floodgate(binaries):
    words = ["run", URL, "--rate", "200", "--duration", "30s", "--connections", "10", "--json"]
    result = json.loads(output(binaries / "floodgate", *words))
    total, unsent = result["total"], result["conservation"]["never_sent"]
    rows = {"floodgate, latency": total["latency_ms"], "floodgate, service time": total["service_ms"]}
    return {name: [total["requests"], *(times[key] for key in ("median", "p90", "p95", "p99", "max")), unsent]
            for name, times in rows.items()}


def k6(name, loop, vus):
    def run(_):
        words = ["run", "--quiet", "--no-usage-report", "-e", f"LOOP={loop}", "-e", f"VUS={vus}", "-e", f"URL={URL}"]
        reported = json.loads(output("k6", *words, HERE / "stalled.js"))
        metrics = {name: metric["values"] for name, metric in reported.items()}
        count = {name: int(values["count"]) for name, values in metrics.items() if "count" in values}
        times = metrics["http_req_duration"]
        print(f"  slower than 100 ms: {count.get('slow', 0)}", file=sys.stderr)
        return {name: [count["http_reqs"], *(times[key] for key in ("p(50)", "p(90)", "p(95)", "p(99)", "max")),
                       None if loop == "closed" else count.get("dropped_iterations", 0)]}
    return run


def wrk(_):
    text = output("wrk", "-t1", "-c10", "-d30s", "-s", HERE / "stalled.lua", URL)
    times = [float(us) / 1000 for us in re.findall(r"^at\s+([\d.]+)", text, re.MULTILINE)]
    return {"wrk, 10 connections": [int(re.search(r"^sent\s+(\d+)", text, re.MULTILINE)[1]), *times, None]}


CASES = [
    ("floodgate", floodgate),
    ("k6", k6("k6, closed loop", "closed", 10)),
    ("k6", k6("k6, arrival rate, 10 VUs", "open", 10)),
    ("k6", k6("k6, arrival rate, 250 VUs", "open", 250)),
    ("wrk", wrk),
]


def median(column):
    return "-" if None in column else f"{statistics.median(column):,.{0 if isinstance(column[0], int) else 1}f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--binaries", type=pathlib.Path, default=pathlib.Path("target/release"))
    args = parser.parse_args()
    cases = [run for program, run in CASES if program == "floodgate" or shutil.which(program)]
    rounds = collections.defaultdict(list)
    for run in cases * args.repeats:
        words = ["--listen", LISTEN, "--stall", "10s:1s", "--log-level", "error"]
        target = subprocess.Popen([args.binaries / "floodgate-target", *words])
        try:
            time.sleep(4)
            for name, row in run(args.binaries).items():
                rounds[name].append(row)
                print(name, row, f"load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
        finally:
            target.terminate()
            target.wait()
    print(f"| times in ms | {' | '.join(COLUMNS)} |\n|---|{'---:|' * len(COLUMNS)}")
    for name, rows in rounds.items():
        print(f"| {name} |", " | ".join(median(column) for column in zip(*rows)), "|")


if __name__ == "__main__":
    main()
