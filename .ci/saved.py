#!/usr/bin/env python3
"""Results, read by other programs: HdrHistogram for Python and, if its jar is given, for Java; jsonschema; junitparser.

Usage: "$(.ci/python-env)" .ci/saved.py FLOODGATE [HDRHISTOGRAM.jar]

Runs tests with --out, then compares what independent readers find in latency.hlog and latency.hgrm with summary.json,
and what `floodgate replay` prints with its bytes. Validates each result against docs/summary.schema.json, and reads the
JUnit file with a library.
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from junitparser import Error, Failure, JUnitXml, Skipped

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "summary.schema.json").read_text())
CASES = ["the test completed", "all drivers finished", "the generator kept up with the schedule", "all counts add up"]

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


def validate(summary):
    """Against the schema, which must itself be one."""
    validator = jsonschema.validators.validator_for(SCHEMA)
    validator.check_schema(SCHEMA)
    for error in validator(SCHEMA).iter_errors(summary):
        sys.exit(f"saved.py: docs/summary.schema.json: {error.json_path}: {error.message}")


def read_junit(path, summary):
    """Names and outcomes of the cases; the counts of the suite must be those of its cases."""
    document = JUnitXml.fromfile(str(path))
    (suite,) = list(document)
    cases = list(suite)
    outcomes = {case.name: type(case.result[0]) if case.result else None for case in cases}
    for what, kind in [("failures", Failure), ("errors", Error), ("skipped", Skipped)]:
        check(f"{what} of JUnit", getattr(suite, what), list(outcomes.values()).count(kind))
    check("tests of JUnit", suite.tests, len(cases))
    check("names of JUnit", list(outcomes)[:4], CASES)
    check("thresholds of JUnit", len(outcomes) - 4, len(summary["thresholds"]))
    check("seconds of JUnit", round(sum(case.time for case in cases), 3), summary["total"]["elapsed_s"])
    return outcomes


def failing(floodgate):
    """A test without a response, and one that cannot start, are failures for a CI server too."""
    with tempfile.TemporaryDirectory() as scratch:
        junit, markdown = Path(scratch) / "junit.xml", Path(scratch) / "summary.md"
        files = ["--junit", junit, "--markdown", markdown]
        free = "http://127.0.0.1:9/"
        command = [floodgate, "run", free, "-n", "5", "--timeout", "1s", "--json", *files]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        check("exit code without a response", done.returncode, 1)
        summary = json.loads(done.stdout)
        validate(summary)
        check("the first case", read_junit(junit, summary)[CASES[0]], Failure)
        command = [floodgate, "run", "--orchestrator", free, *files]
        check("exit code without a start", subprocess.run(command, capture_output=True, timeout=60).returncode, 1)
        ((case,),) = [list(suite) for suite in JUnitXml.fromfile(str(junit))]
        check("a test that cannot start", (case.name, type(case.result[0])), (CASES[0], Error))
        check("its Markdown", "no result" in markdown.read_text(), True)
        command = [floodgate, "run", "-n", "1", "--junit", "/dev/full"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        check("exit code of a full disk", (done.returncode, "was not written" in done.stderr), (1, True))
        print("failed tests fail for CI servers too")


def run(floodgate, jar, words):
    with tempfile.TemporaryDirectory() as scratch:
        junit, markdown = Path(scratch) / "junit.xml", Path(scratch) / "summary.md"
        command = [floodgate, "run", "--json", "--out", f"{scratch}/out", "--junit", junit, "--markdown", markdown, *words]
        printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
        (folder,) = Path(f"{scratch}/out").iterdir()
        check("summary.json", (folder / "summary.json").read_text(), printed)
        summary = json.loads(printed)
        latency = summary["total"]["latency_ms"]
        validate(summary)
        outcomes = read_junit(junit, summary)
        check("the test completed", outcomes[CASES[0]], None)
        check("size of the Markdown", 200 < markdown.stat().st_size < 65_536, True)

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
        again = Path(scratch) / "again.xml"
        replay = [floodgate, "replay", folder, "--junit", again, "--markdown", "-"]
        replayed = subprocess.run(replay, check=True, capture_output=True, text=True)
        check("Markdown of a replay", replayed.stdout, markdown.read_text())
        check("JUnit of a replay", again.read_text(), junit.read_text())
        print(f"{' '.join(words)}: {total.get_total_count()} responses in {lines} seconds, equal everywhere")


def main():
    floodgate, *jar = sys.argv[1:]
    jar = jar[0] if jar else None
    run(floodgate, jar, ["--duration", "3s", "--rate", "500"])
    run(floodgate, jar, ["--duration", "2s", "--connections", "32", "--drivers", "3"])
    run(floodgate, jar, ["--requests", "1"])
    failing(floodgate)
    print("all saved runs are read by other programs" + ("" if jar else " (Java was left out: no jar)"))


main()
