#!/usr/bin/env python3
"""Saved runs, read by other programs: HdrHistogram for Python and, if its jar is given, for Java.

Usage: "$(.ci/python-env)" .ci/saved.py FLOODGATE [HDRHISTOGRAM.jar]

Runs tests with --out, then compares what independent readers find in latency.hlog and latency.hgrm with summary.json,
and what `floodgate replay` prints with its bytes.
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

JAVA = """
import org.HdrHistogram.*;
public class Sum {
    public static void main(String[] words) throws Exception {
        HistogramLogReader log = new HistogramLogReader(words[0]);
        Histogram sum = new Histogram(1, 3600000000L, 3);
        while (log.hasNext()) sum.add((Histogram) log.nextIntervalHistogram());
        sum.outputPercentileDistribution(System.out, 1000.0);
    }
}
"""


def check(what, found, expected):
    if found != expected:
        sys.exit(f"saved.py: {what}: {found!r}, expected {expected!r}")


def read_log(path):
    """The number of lines and the sum of all intervals."""
    total = HdrHistogram(1, 3_600_000_000, 3)
    reader = HistogramLogReader(str(path), total)
    lines = 0
    while (interval := reader.get_next_interval_histogram()) is not None:
        total.add(interval)
        lines += 1
    return lines, total


def java(jar, log, scratch):
    source = Path(scratch) / "Sum.java"
    source.write_text(JAVA)
    return subprocess.run(["java", "-cp", jar, source, log], check=True, capture_output=True, text=True).stdout


def run(floodgate, jar, words):
    with tempfile.TemporaryDirectory() as scratch:
        command = [floodgate, "run", "--json", "--out", f"{scratch}/out", *words]
        printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
        (folder,) = Path(f"{scratch}/out").iterdir()
        check("summary.json", (folder / "summary.json").read_text(), printed)
        summary = json.loads(printed)
        latency = summary["total"]["latency_ms"]

        lines, total = read_log(folder / "latency.hlog")
        check("lines of latency.hlog", lines, len(summary["series"]))
        check("count of latency.hlog", total.get_total_count(), summary["total"]["responses"])
        # The Python library rounds the rank to the nearest, others round it up: one sample apart.
        one = 100 / total.get_total_count()
        for name, percentile in [("median", 50), ("p90", 90), ("p99", 99), ("p999", 99.9)]:
            near = [total.get_value_at_percentile(max(percentile + off, 0)) / 1000 for off in (0, one)]
            if latency[name] not in near:
                sys.exit(f"saved.py: {name}: {near} in latency.hlog, {latency[name]} in summary.json")

        seconds = list(csv.DictReader((folder / "series.csv").open()))
        check("requests of series.csv", sum(int(row["requests"]) for row in seconds), summary["total"]["requests"])
        if jar:
            check("latency.hgrm", (folder / "latency.hgrm").read_text(), java(jar, folder / "latency.hlog", scratch))

        for source in [folder, folder / "records.jsonl"]:
            replayed = subprocess.run([floodgate, "replay", source, "--json"], check=True, capture_output=True, text=True)
            check(f"replay {source.name}", replayed.stdout, printed)
        print(f"{' '.join(words)}: {total.get_total_count()} responses in {lines} seconds, equal everywhere")


def main():
    floodgate, *jar = sys.argv[1:]
    jar = jar[0] if jar else None
    run(floodgate, jar, ["--duration", "3s", "--rate", "500"])
    run(floodgate, jar, ["--duration", "2s", "--connections", "32", "--drivers", "3"])
    run(floodgate, jar, ["--requests", "1"])
    print("all saved runs are read by other programs" + ("" if jar else " (Java was left out: no jar)"))


main()
