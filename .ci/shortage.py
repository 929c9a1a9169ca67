"""A host without free local ports, or without IPv6, is reported as such. Runs in a separate network namespace.

Usage: unshare --net shortage.py FLOODGATE FLOODGATE_TARGET
"""

import contextlib
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.request

FLOODGATE, TARGET = sys.argv[1:3]


def own_namespace():
    """Exits unless the network namespace is new (loopback down), to protect the host's network. Brings loopback up."""
    with socket.socket() as any_socket:
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, 0x8913, struct.pack("16sh14x", b"lo", 0)))[1]
        if flags & 0x1:  # SIOCGIFFLAGS, IFF_UP
            sys.exit("this is not a separate network namespace: use unshare --net")
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", flags | 0x1))  # SIOCSIFFLAGS


def setting(name, value):
    with open("/proc/sys/net/" + name, "w", encoding="ascii") as file:
        file.write(value)


@contextlib.contextmanager
def target(port, delay):
    server = subprocess.Popen([TARGET, "--listen", f"127.0.0.1:{port}", "--delay", delay], stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait()


def run(*words):
    done = subprocess.run([FLOODGATE, "run", "--json", "--drivers", "1", *words], capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0 and done.stdout, (done.returncode, done.stderr)
    return json.loads(done.stdout), done.stderr


def ports(client, port, first):
    """A 0.3 s plan needs more connections than there are ports; each connection is held for 2 s."""
    setting("ipv4/ip_local_port_range", "20000 60999")
    with target(port, "2s"):
        setting("ipv4/ip_local_port_range", f"{first} {first + 19}")
        summary, said = run("--url", f"http://127.0.0.1:{port}/ping", "--client", client, "--connections", "64",
                            "--rate", "1000", "--requests", "300", "--new-connection-per-request")
        setting("ipv4/ip_local_port_range", "20000 60999")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            seen = json.load(answer)["requests"]
    counts, errors = summary["conservation"], summary["total"]["errors"]
    assert counts["planned"] == counts["sent"] == 300 and counts["never_sent"] == 0, counts
    assert set(errors) == {"connect"} and errors["connect"] > 0, errors
    assert 0 < counts["responses"] == seen == 300 - errors["connect"], (seen, counts, errors)
    short = f"no local port is left for connections to 127.0.0.1:{port}: this host has 20 "
    assert said.count("no local port") == said.count(short) == 1, said
    assert "ports_exhausted" in [finding["code"] for finding in summary["findings"]], summary["findings"]
    assert not any("target was slower" in line for line in summary["verdict"]), summary["verdict"]
    print(f"20 ports, {client}: 300 requests = {seen} responses + {errors['connect']} connect; one log line")


def without_ipv6(client, port):
    """A name whose first address is IPv6 works over its other address, and no port shortage is logged."""
    both = ("--resolve", f"localhost:{port}:::1", "--resolve", f"localhost:{port}:127.0.0.1")
    with target(port, "0s"):
        summary, said = run("--url", f"http://localhost:{port}/ping", *both, "--client", client, "--requests", "20")
    assert summary["conservation"]["responses"] == 20, summary["conservation"]
    assert "no local port" not in said, said
    print(f"no IPv6, {client}: 20 responses over the other address, no port shortage logged")


own_namespace()
if os.path.exists("/proc/sys/net/ipv6"):
    setting("ipv6/conf/all/disable_ipv6", "1")
without_ipv6("native", 8001)
without_ipv6("ureq", 8002)
# Ports are not reused within a minute, as between hosts.
setting("ipv4/tcp_tw_reuse", "0")
ports("native", 8003, 40000)
ports("ureq", 8004, 41000)
