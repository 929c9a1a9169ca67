"""The main job against real servers: nginx, Python's http.server, and an nginx that freezes.

Usage: servers.py FLOODGATE FLOODGATE_TARGET

Timing bounds leave room for a busy machine; counts and the output format are checked exactly.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

FLOODGATE, TARGET = sys.argv[1:3]
NGINX = """daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log {folder}/access.log; keepalive_requests 100000000;
server {{ listen 127.0.0.1:{port}; location / {{ return 200 "pong"; }} }} }}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


def floodgate(*words):
    done = subprocess.run([FLOODGATE, "run", "--json", *words], stdout=subprocess.PIPE, timeout=120, check=True)
    summary = json.loads(done.stdout)
    keys = {"schema", "test_id", "test_type", "state", "plan", "started_at", "total", "drivers", "thresholds",
            "conservation", "verdict", "findings", "series"}
    assert keys == set(summary), set(summary) ^ keys
    assert summary["schema"] == "floodgate.summary/1" and summary["state"] == "completed", summary["state"]
    return summary


def check_counts(name, summary, planned):
    counts = summary["conservation"]
    for key in ("planned", "sent", "responses"):
        assert counts[key] == planned, (name, key, counts)
    assert counts["errors"] == counts["never_sent"] == counts["reports_missing"] == 0, (name, counts)
    print(f"{name}: {planned} planned = sent = responses; {summary['verdict'][0]}")


def nginx_and_its_freeze(folder):
    port = free_port()
    config = os.path.join(folder, "nginx.conf")
    with open(config, "w", encoding="ascii") as file:
        file.write(NGINX.format(folder=folder, port=port))
    server = subprocess.Popen(["nginx", "-c", config], stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        url = f"http://127.0.0.1:{port}/load"
        check_counts("nginx", floodgate("--url", url, "--rate", "1000", "--duration", "2s"), 2000)
        with open(os.path.join(folder, "access.log"), encoding="ascii") as log:
            assert sum("GET /load " in line for line in log) == 2000, "nginx counted a different number"
        for client in ("native", "ureq"):
            freeze(server, url, client)
    finally:
        server.kill()
        server.wait()


def freeze(server, url, client):
    """A freeze of 1 s in 20 s at 1,000/s: a twentieth of all requests wait, uniformly up to 1 s."""
    def stop_for_a_second():
        time.sleep(8)
        server.send_signal(signal.SIGSTOP)
        time.sleep(1)
        server.send_signal(signal.SIGCONT)

    thread = threading.Thread(target=stop_for_a_second)
    thread.start()
    summary = floodgate("--url", url, "--client", client, "--drivers", "1", "--connections", "32",
                        "--rate", "1000", "--duration", "20s")
    thread.join()
    check_counts(f"nginx frozen for 1 s, {client}", summary, 20000)
    total, latency = summary["total"], summary["total"]["latency_ms"]
    print(f"  p99 {latency['p99']} ms (in theory 800), max {latency['max']} ms (1,000), "
          f"queued {total['queued']}, p99 lag {total['lag_ms']['p99']} ms")
    assert 720 < latency["p99"] < 1000 and 950 < latency["max"] < 1300, latency
    assert 850 < total["queued"] < 3000, total["queued"]
    assert "target was slower" in summary["verdict"][0], summary["verdict"]
    assert not any("enerator" in line for line in summary["verdict"]), summary["verdict"]


def python_server(folder):
    port = free_port()
    words = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", folder]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        url = f"http://127.0.0.1:{port}/"
        check_counts("http.server", floodgate("--url", url, "--rate", "100", "--duration", "2s"), 200)
    finally:
        server.kill()
        server.wait()


def tsunami():
    """Intervals of 20 ms are kept although the server takes 30 ms."""
    port = free_port()
    server = subprocess.Popen([TARGET, "--listen", f"127.0.0.1:{port}", "--delay", "30ms"], stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        summary = floodgate("--url", f"http://127.0.0.1:{port}/ping", "--drivers", "1",
                            "--test-type", "tsunami", "--delay", "20ms", "--requests", "250")
        check_counts("tsunami", summary, 250)
        theory_s, elapsed_s = (249 * 20 + 30) / 1000, summary["total"]["elapsed_s"]
        print(f"  {elapsed_s} s, in theory {theory_s} s")
        assert abs(elapsed_s - theory_s) < 0.02 * theory_s, elapsed_s
    finally:
        server.terminate()
        server.wait()


with tempfile.TemporaryDirectory() as place:
    tsunami()
    python_server(place)
    nginx_and_its_freeze(place)
