#!/usr/bin/env python3
"""Does `floodgate compare` find what is there, and nothing else? Runs equal and different targets and counts the words.

A pair is two separate runs, one after the other, of a floodgate-target on this machine; with `ab-`, both targets in one run:
  equal, ab-equal   the same delay twice: at most 1 of 20 pairs may be called different in any figure of a family
  delay             a target that is 5 ms slower: p50 and mean must be called slower every time
  slower            a target that is 10 % slower: p50 must be called slower every time
  five, ab-five     a target that is 5 % slower: p50 must be called slower every time in one run; in two it need not be

    .ci/compare.py [--cases equal,delay,slower,ab-equal,ab-five] [--pairs 20] [--shifted 10] [--seconds 20] [--rate 1000]
                   [--delay-ms 10] [--wrap 'chrt -f 5'] [--noisy] [--port 18490] [--runs DIR] [--binaries target/release]

With --runs, the runs are kept in DIR, and those that are there already are not made again. With --noisy, other processes
burn CPU at random moments. Exit code 1 if a case fails.
"""

import argparse
import collections
import contextlib
import json
import multiprocessing
import pathlib
import random
import shlex
import subprocess
import sys
import tempfile
import time

CASES = {"equal": 1.0, "delay": None, "slower": 1.1, "five": 1.05, "ab-equal": 1.0, "ab-five": 1.05}
MUST = {"delay": ["p50", "mean"], "slower": ["p50"], "ab-five": ["p50"]}


def wrapped(args):
    return shlex.split(args.wrap)


@contextlib.contextmanager
def target(args, port, delay_ms):
    words = [*wrapped(args), args.binaries / "floodgate-target", "--listen", f"127.0.0.1:{port}",
             "--delay", f"{delay_ms * 1000:.0f}us", "--log-level", "error"]
    process = subprocess.Popen(words)
    try:
        time.sleep(0.3)
        if process.poll() is not None:
            sys.exit("the target did not start")
        yield
    finally:
        process.terminate()
        process.wait()


def burn(seed):
    """Keeps a core busy at random moments."""
    moments = random.Random(seed)
    while True:
        until = time.monotonic() + moments.uniform(0.05, 2)
        while time.monotonic() < until:
            pass
        time.sleep(moments.uniform(0.05, 3))


@contextlib.contextmanager
def noise(args):
    burners = [multiprocessing.Process(target=burn, args=(seed,), daemon=True) for seed in range(3)] if args.noisy else []
    for burner in burners:
        burner.start()
    try:
        yield
    finally:
        for burner in burners:
            burner.terminate()
            burner.join()


def run(args, folder, delay_ms, other_ms=None):
    """One saved run in its folder, of one target or of two at once; nothing if it is there already."""
    if not list(folder.glob("*/records.jsonl")):
        words = [*wrapped(args), args.binaries / "floodgate", "run", "--json", "--url", f"http://127.0.0.1:{args.port}/ping",
                 "--duration", f"{args.seconds}s", "--connections", "64", "--out", folder]
        if args.rate:
            words += ["--rate", str(args.rate)]
        with contextlib.ExitStack() as targets:
            targets.enter_context(target(args, args.port, delay_ms))
            if other_ms is not None:
                targets.enter_context(target(args, args.port + 1, other_ms))
                words += ["--ab", f"http://127.0.0.1:{args.port + 1}/ping"]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return next(folder.glob("*/records.jsonl")).parent


def compared(args, *runs):
    words = [args.compare or args.binaries / "floodgate", "compare", "--json", *runs]
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
    factor = CASES[case]
    return args.delay_ms + 5 if factor is None else args.delay_ms * factor


def count_of(args, case):
    return args.pairs if case.endswith("equal") else args.shifted


def collect(args, root):
    for at in range(max(args.pairs, args.shifted)):
        for case in (case for case in args.cases if at < count_of(args, case)):
            a, b = (root / case / f"{at:02}" / side for side in "ab")
            if case.startswith("ab-"):
                run(args, a, args.delay_ms, delay_of(args, case))
            else:
                run(args, a, args.delay_ms)
                run(args, b, delay_of(args, case))
            print(f"{case} {at + 1} of {count_of(args, case)}", file=sys.stderr, flush=True)


def saved(case, pair):
    """The runs of a pair; none if one of them is missing."""
    found = [next(pair.glob(f"{side}/*/summary.json"), None) for side in ("a" if case.startswith("ab-") else "ab")]
    return [] if None in found else [summary.parent for summary in found]


def judge(args, root):
    failed = False
    for case in [case for case in CASES if (root / case).is_dir()]:
        words = collections.defaultdict(collections.Counter)
        alarms, missed = 0, collections.Counter()
        pairs = [runs for pair in sorted((root / case).iterdir()) if (runs := saved(case, pair))]
        for pair in pairs:
            result = compared(args, *pair)
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
        if case.endswith("equal"):
            failed |= alarms > max(1, len(pairs) // 20)
        failed |= any(missed.values())
        for name, n in missed.items():
            print(f"  {name}: missed {n} of {len(pairs)}")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=lambda text: text.split(","), default="equal,delay,slower,ab-equal,ab-five")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--shifted", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rate", type=int, default=1000, help="requests/s; 0 for a closed loop")
    parser.add_argument("--delay-ms", type=float, default=10)
    parser.add_argument("--wrap", default="", help="starts target and generator; on a busy machine: 'chrt -f 5'")
    parser.add_argument("--anyway", action="store_true", help="judge also what is not comparable, by its intervals")
    parser.add_argument("--noisy", action="store_true", help="burn CPU at random moments")
    parser.add_argument("--port", type=int, default=18_490)
    parser.add_argument("--runs", type=pathlib.Path)
    parser.add_argument("--compare", type=pathlib.Path, help="the floodgate that compares, if it is another one")
    parser.add_argument("--only", choices=["collect", "judge"])
    parser.add_argument("--binaries", type=pathlib.Path, default=pathlib.Path("target/release"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = args.runs or pathlib.Path(folder)
        if args.only != "judge":
            with noise(args):
                collect(args, root)
        return 1 if args.only != "collect" and judge(args, root) else 0


if __name__ == "__main__":
    sys.exit(main())
