#!/usr/bin/env python3
"""Measures what a driver takes: peak memory, CPU and descriptors of a real process on a real broker, against nginx.

Usage: sizing.py FLOODGATE BROKER      prints the sizing table in docs/operating.md (needs nginx and openssl)
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

FLOODGATE, BROKER = sys.argv[1:3]
RATE, SECONDS = 2000, 5
NGINX = """daemon off; pid {dir}/pid; error_log {dir}/error.log; worker_processes 1; worker_rlimit_nofile 16384;
events {{ worker_connections 12000; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d;
scgi_temp_path {dir}/e;
server {{ listen 127.0.0.1:9481 backlog=4096; listen 127.0.0.1:9482 ssl backlog=4096;
ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem; location / {{ return 200 "pong"; }} }} }}"""


def names(count):
    one = '[[requests]]\nname = "request-{0}"\nurl = "/products/{0}"\n'
    return "".join(one.format(number) for number in range(count))


def feed(folder):
    with open(f"{folder}/users.csv", "w", encoding="ascii") as file:
        file.write("id,term,password\n")
        file.writelines(f"{row},shoes size {row % 50},secret-{row:08}\n" for row in range(100_000))
    return '[feeds.users]\nfile = "users.csv"\n[[requests]]\nname = "search"\nurl = "/search?q={{users.term|url}}"\n'


def cases(folder):
    """Words of a row, connections, whether it is HTTPS, and the end of the plan file."""
    for connections in (1, 100, 1000, 10000):
        yield f"{connections:,} connection{'s' * (connections > 1)}", connections, False, ""
    yield "100 connections, 50 request names", 100, False, names(50)
    yield "100 connections, a feed of 100,000 rows (3.1 MB)", 100, False, feed(folder)
    yield "100 connections, TLS", 100, True, ""
    yield "1,000 connections, TLS", 1000, True, ""
    yield "100 connections, ureq client", 100, False, 'client = "ureq"\n'


def ready(process):
    """Waits until it says that it is ready; returns the address, if any. Its log is read to the end."""
    for line in process.stderr:
        if "ready" in line:
            threading.Thread(target=process.stderr.read, daemon=True).start()
            found = re.search(r"http://[^/]+", line)
            return found and found.group()
    raise SystemExit(f"{process.args} exited")


def start(*words, **more):
    return subprocess.Popen([FLOODGATE, *words], stderr=subprocess.PIPE, text=True, **more)


class Watched:
    """Counts the descriptors of a process, and reads its memory and CPU."""

    def __init__(self, process):
        self.pid, self.descriptors, self.is_over = process.pid, 0, False
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        while not self.is_over:
            self.descriptors = max(self.descriptors, len(os.listdir(f"/proc/{self.pid}/fd")))
            time.sleep(0.1)

    def peak_mb(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) / 1024

    def cpu_s(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            return sum(map(int, stat.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def measure(folder, orchestrator, kafka, case, roles):
    name, connections, is_https, plan = case
    url = "https://127.0.0.1:9482/" if is_https else "http://127.0.0.1:9481/"
    node = re.sub(r"\W+", "-", name)
    driver = start("driver", *kafka, "--node-id", node, "--node-ip", "127.0.0.1", "--target", url, "--insecure",
                   "--feeds", folder)
    roles.append(driver)
    ready(driver)
    metrics = lambda: urllib.request.urlopen(f"{orchestrator}/metrics", timeout=10).read().decode()
    while not all(text in metrics() for text in (f'driver="{node}"', 'floodgate_drivers{state="alive"} 1\n')):
        time.sleep(0.05)
    watched = Watched(driver)
    idle = watched.peak_mb()
    path = f"{folder}/plan.toml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'target_url = "{url}"\nduration = "{SECONDS}s"\nrate = {RATE}\nconnections = {connections}\n{plan}')
    done = subprocess.run([FLOODGATE, "run", path, "--orchestrator", orchestrator, "--quiet", "--json"],
                          env={"FLOODGATE_TOKEN": "sizing"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (name, done.returncode, done.stdout[-2000:], done.stderr)
    counts = json.loads(done.stdout)["conservation"]
    assert counts["responses"] == counts["planned"] == RATE * SECONDS, counts
    cpu, peak, descriptors = watched.cpu_s(), watched.peak_mb(), watched.descriptors
    watched.is_over = True
    driver.terminate()
    assert driver.wait(timeout=30) == 0
    print(f"| {name} | {peak:.1f} MB | {100 * cpu / SECONDS:.0f} % | {descriptors:,} |", flush=True)
    return idle


def main():
    folder = tempfile.mkdtemp(prefix="floodgate-sizing-")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{folder}/key.pem"]
    subprocess.run(["openssl", "req", "-x509", *key, "-days", "2", "-subj", "/CN=127.0.0.1", "-out",
                    f"{folder}/cert.pem"], check=True, capture_output=True)
    with open(f"{folder}/nginx.conf", "w", encoding="ascii") as file:
        file.write(NGINX.format(dir=folder))
    nginx = subprocess.Popen(["nginx", "-p", folder, "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"])
    kafka = ["--kafka", BROKER, "--topic-prefix", f"sizing-{os.getpid()}-"]
    roles = [nginx]
    try:
        orchestrator = start("orchestrator", *kafka, "--listen", "127.0.0.1:0",
                             env={"FLOODGATE_TOKEN": "sizing"})
        roles.append(orchestrator)
        address = ready(orchestrator)
        print(f"| driver, at {RATE:,} requests/s | peak memory | CPU of a core | open descriptors |")
        print("|---|---:|---:|---:|")
        idle = [measure(folder, address, kafka, case, roles) for case in cases(folder)]
        print(f"| idle | {max(idle):.1f} MB | | |")
    finally:
        for role in roles:
            role.terminate()
            role.wait()
        shutil.rmtree(folder)


main()
