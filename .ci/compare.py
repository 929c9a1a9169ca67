#!/usr/bin/env python3
"""Does `floodgate compare` find what is there, and nothing else? Runs equal and different targets and counts the words.

Every pair is two separate runs, one after the other, of a floodgate-target on this machine:
  equal    the same target twice: at most 1 of 20 pairs may be called different in any figure of a family
  delay    a target that is 5 ms slower: p50 and mean must be called slower every time
  slower   a target that is 10 % slower: p50 must be called slower every time

    .ci/compare.py [--pairs 20] [--shifted 10] [--seconds 20] [--rate 1000] [--delay-ms 10]
                   [--wrap 'chrt -f 5'] [--runs DIR] [--binaries target/release] [--compare target/release/floodgate]

With --runs, the runs are kept in DIR, and those that are there already are not made again. Exit code 1 if a case fails.
"""

import argparse
import collections
import contextlib
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time

PORT = 18_490
CASES = ["equal", "delay", "slower"]
MUST = {"delay": ["p50", "mean"], "slower": ["p50"]}


def wrapped(args):
    return shlex.split(args.wrap)


@contextlib.contextmanager
def target(args, delay_ms):
    words = [*wrapped(args), args.binaries / "floodgate-target", "--listen", f"127.0.0.1:{PORT}", "--delay", f"{delay_ms * 1000:.0f}us",
             "--log-level", "error"]
    process = subprocess.Popen(words)
    try:
        time.sleep(0.3)
        if process.poll() is not None:
            sys.exit("the target did not start")
        yield
    finally:
        process.terminate()
        process.wait()


def run(args, folder, delay_ms):
    """One saved run in its folder; nothing if it is there already."""
    if not list(folder.glob("*/records.jsonl")):
        words = [*wrapped(args), args.binaries / "floodgate", "run", "--json", "--url", f"http://127.0.0.1:{PORT}/ping",
                 "--duration", f"{args.seconds}s", "--connections", "64", "--out", folder]
        if args.rate:
            words += ["--rate", str(args.rate)]
        with target(args, delay_ms):
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return next(folder.glob("*/records.jsonl")).parent


def compared(args, a, b):
    words = [args.compare or args.binaries / "floodgate", "compare", "--json", a, b]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def word(args, figure):
    """The word for a figure; with --anyway also for runs that blame their generator."""
    if figure["word"] != "not comparable" or not args.anyway:
        return figure["word"]
    low, high, floor = figure["low"], figure["high"], figure["floor"]
    if None in (low, high, floor):
        return "unclear"
    below = -floor if figure["change_unit"] == "points" else 100 * (1 / (1 + floor / 100) - 1)
    if low > floor or high < below:
        return "faster" if (low > floor) == (figure["name"] == "throughput") else "slower"
    return "same" if low >= below and high <= floor else "unclear"


def delay_of(args, case):
    return {"equal": args.delay_ms, "delay": args.delay_ms + 5, "slower": args.delay_ms * 1.1}[case]


def collect(args, root):
    for at in range(args.pairs):
        for case in CASES if at < args.shifted else CASES[:1]:
            a, b = (root / case / f"{at:02}" / side for side in "ab")
            run(args, a, args.delay_ms)
            run(args, b, delay_of(args, case))
            print(f"{case} {at + 1} of {args.pairs if case == 'equal' else args.shifted}", file=sys.stderr, flush=True)


def judge(args, root):
    failed = False
    for case in [case for case in CASES if (root / case).is_dir()]:
        words = collections.defaultdict(collections.Counter)
        alarms, missed = 0, collections.Counter()
        pairs = sorted(pair for pair in (root / case).iterdir() if list(pair.glob("b/*/summary.json")))
        for pair in pairs:
            result = compared(args, run(args, pair / "a", 0), run(args, pair / "b", 0))
            if result["outcome"] == "not comparable":
                words["(pair)"]["not comparable"] += 1
            called = {f["name"]: word(args, f) for f in result["figures"] if f["tested"]}
            for name, found in called.items():
                words[name][found] += 1
            alarms += any(found in ("slower", "faster") for found in called.values())
            if result["outcome"] != "not comparable" or args.anyway:
                missed.update(name for name in MUST.get(case, []) if called[name] != "slower")
        print(f"\n{case}: {len(pairs)} pairs, {alarms} with a figure that is called different")
        for name, counts in words.items():
            print(f"  {name:<16}" + "  ".join(f"{word} {n}" for word, n in counts.most_common()))
        if case == "equal":
            failed |= alarms > max(1, len(pairs) // 20)
        failed |= any(missed.values())
        for name, n in missed.items():
            print(f"  {name}: missed {n} of {len(pairs)}")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--shifted", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rate", type=int, default=1000, help="requests/s; 0 for a closed loop")
    parser.add_argument("--delay-ms", type=float, default=10)
    parser.add_argument("--wrap", default="", help="starts target and generator; on a busy machine: 'chrt -f 5'")
    parser.add_argument("--anyway", action="store_true", help="judge also what is not comparable, by its intervals")
    parser.add_argument("--runs", type=pathlib.Path)
    parser.add_argument("--compare", type=pathlib.Path, help="the floodgate that compares, if it is another one")
    parser.add_argument("--only", choices=["collect", "judge"])
    parser.add_argument("--binaries", type=pathlib.Path, default=pathlib.Path("target/release"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = args.runs or pathlib.Path(folder)
        if args.only != "judge":
            collect(args, root)
        return 1 if args.only != "collect" and judge(args, root) else 0


if __name__ == "__main__":
    sys.exit(main())
