#!/usr/bin/env python3
"""Does the verdict name the right side? Starves the generator, the target, both or neither, and prints each verdict.

nginx (one worker, no access log) runs on core 0, `floodgate run` on core 1. They are starved by busy loops on the
same core, by a frozen or rate-limited nginx, or by the CPU limit of a control group (if the host allows one). Each case
names the expected side; a run is right if its first finding names that side or, for both, if the findings name both.

    .ci/starved.py [--seconds 3] [--repeats 5] [--only TEXT] [--floodgate target/release/floodgate]

Needs Linux with two cores, nginx and taskset. Exit code 1 if a run is wrong.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TARGET_CORE, CLIENT_CORE = "0", "1"
PORT = 18_480
LOOPS = 3
NGINX = """
worker_processes 1;
worker_cpu_affinity 1;
daemon off;
master_process on;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    limit_req_zone $server_port zone=slow:1m rate=2000r/s;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    server {{
        listen 127.0.0.1:{port} reuseport backlog=4096;
        location / {{ return 200 "pong"; }}
        location /slow {{ limit_req zone=slow burst=100000; alias {dir}/; try_files pong =404; }}
    }}
}}
"""
# Codes that name a side. All others (notes, OK) name nobody.
SIDES = {
    "generator_saturated": "generator",
    "generator_lag": "generator",
    "ports_exhausted": "generator",
    "target_slow": "target",
    "never_sent": "target",
}

# Name, options of `floodgate run`, what starves which side, expected side.
CASES = [
    ("quiet, closed, 16", ["--connections", "16"], {}, "nobody"),
    ("quiet, 20,000/s, 16", ["--connections", "16", "--rate", "20000"], {}, "nobody"),
    ("client starved, closed, 16", ["--connections", "16"], {"client": "loops"}, "generator"),
    ("client starved, 20,000/s, 16", ["--connections", "16", "--rate", "20000"], {"client": "loops"}, "generator"),
    ("client starved, 60,000/s, 64", ["--connections", "64", "--rate", "60000"], {"client": "loops"}, "generator"),
    ("client starved, 60,000/s, 256", ["--connections", "256", "--rate", "60000"], {"client": "loops"}, "generator"),
    ("nginx starved, 60,000/s, 64", ["--connections", "64", "--rate", "60000"], {"target": "loops"}, "target"),
    ("nginx starved, closed, 16", ["--connections", "16"], {"target": "loops"}, "nobody"),
    ("nginx frozen for a while, 5,000/s", ["--connections", "64", "--rate", "5000"], {"target": "frozen"}, "target"),
    ("nginx limited to 2,000/s, 5,000/s", ["--connections", "64", "--rate", "5000"], {"target": "limited"}, "target"),
    ("both starved, 60,000/s, 64", ["--connections", "64", "--rate", "60000"],
     {"client": "loops", "target": "loops"}, "both"),
    ("client limited to 20 % by a control group, closed, 16", ["--connections", "16"], {"client": "cgroup"},
     "generator"),
    ("client limited to 20 % by a control group, 60,000/s", ["--connections", "64", "--rate", "60000"],
     {"client": "cgroup"}, "generator"),
]


@contextlib.contextmanager
def running(words, **options):
    """A process that is always terminated, by its id."""
    process = subprocess.Popen(words, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def nginx(folder):
    for sub in ["body", "proxy", "fastcgi", "uwsgi", "scgi"]:
        os.makedirs(os.path.join(folder, sub), exist_ok=True)
    with open(os.path.join(folder, "pong"), "w") as file:
        file.write("pong")
    config = os.path.join(folder, "nginx.conf")
    with open(config, "w") as file:
        file.write(NGINX.format(dir=folder, port=PORT))
    os.chmod(folder, 0o755)
    words = ["taskset", "-c", TARGET_CORE, shutil.which("nginx") or "/usr/sbin/nginx", "-c", config, "-p", folder]
    with running(words) as master:
        time.sleep(0.5)
        if master.poll() is not None:
            sys.exit(f"nginx did not start: {open(os.path.join(folder, 'error.log')).read()}")
        children = subprocess.run(["pgrep", "-P", str(master.pid)], capture_output=True, text=True).stdout.split()
        yield [int(pid) for pid in children]


@contextlib.contextmanager
def loops(core):
    with contextlib.ExitStack() as stack:
        for _ in range(LOOPS):
            stack.enter_context(running(["taskset", "-c", core, "sh", "-c", "while :; do :; done"]))
        time.sleep(0.2)
        yield


@contextlib.contextmanager
def cgroup(percent):
    """A control group with this share of one core. Yields its procs file, or None if the host does not allow one."""
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        path = f"/sys/fs/cgroup/floodgate-{os.getpid()}"
        limits = {"cpu.max": f"{percent * 1000} 100000"}
    else:
        path = f"/sys/fs/cgroup/cpu/floodgate-{os.getpid()}"
        limits = {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": str(percent * 1000)}
    try:
        os.mkdir(path)
    except OSError:
        yield None
        return
    try:
        for name, value in limits.items():
            with open(os.path.join(path, name), "w") as file:
                file.write(value)
        yield os.path.join(path, "cgroup.procs")
    except OSError as error:
        print(f"  (cannot set a CPU limit with a control group: {error})")
        yield None
    finally:
        time.sleep(0.2)
        with contextlib.suppress(OSError):
            os.rmdir(path)


def run(options, starve, workers, args):
    path = "/slow" if starve.get("target") == "limited" else "/"
    words = [args.floodgate, "run", "--json", "--drivers", "1", "--threads", "1", "--timeout", "3s",
             "--duration", f"{args.seconds}s", "--url", f"http://127.0.0.1:{PORT}{path}", *options]
    words = ["taskset", "-c", CLIENT_CORE, *words]
    with contextlib.ExitStack() as stack:
        if starve.get("target") == "loops":
            stack.enter_context(loops(TARGET_CORE))
        if starve.get("client") == "loops":
            stack.enter_context(loops(CLIENT_CORE))
        if starve.get("client") == "cgroup":
            procs = stack.enter_context(cgroup(20))
            if procs is None:
                return None
            words = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', procs, *words]
        process = stack.enter_context(
            running(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True))
        if starve.get("target") == "frozen":
            # The gate opens a second after the start.
            time.sleep(1.3 + args.seconds / 3)
            for pid in workers:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(0.7)
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
        out, _ = process.communicate(timeout=args.seconds + 60)
        return json.loads(out)


def named(result):
    sides = [SIDES[finding["code"]] for finding in result["findings"] if finding["code"] in SIDES]
    # Requests left unsent by a starved generator do not blame the target.
    if "generator" in sides and all(f["code"] != "target_slow" for f in result["findings"]):
        sides = [side for side in sides if side == "generator"]
    return sides


def is_right(expected, sides):
    if expected == "nobody":
        return not sides
    if expected == "both":
        return set(sides) == {"generator", "target"}
    return sides[:1] == [expected]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="", help="run only cases whose name contains this text")
    parser.add_argument("--floodgate", default="target/release/floodgate")
    args = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, nginx(folder) as workers:
        for name, options, starve, expected in CASES:
            if args.only not in name:
                continue
            print(f"{name}: expected {expected}", flush=True)
            for _ in range(args.repeats):
                result = run(options, starve, workers, args)
                if result is None:
                    print("  skipped: this host does not allow control groups")
                    break
                total = result["total"]
                sides = named(result)
                right = is_right(expected, sides)
                wrong += not right
                share = lambda key: "-" if key not in total else f"{100 * total[key]:.1f} %"
                print(f"  {'right' if right else 'WRONG'}  {total['throughput_rps']:>9,.0f}/s"
                      f"  queued {100 * total['queued'] / max(total['requests'], 1):5.1f} %"
                      f"  busy {share('busy')}  CPU wait {share('cpu_wait')}  rests {share('rest')}"
                      f"  [{', '.join(finding['code'] for finding in result['findings'])}]")
                print(f"         {result['verdict'][0]}", flush=True)
    print(f"{wrong} runs wrong" if wrong else "every run right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
