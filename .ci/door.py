"""Full-size misbehaving clients at the endpoints: others are answered within a second, and nothing leaks.

Usage: door.py PATH PROGRAM [ARGUMENT…]
--listen 127.0.0.1:PORT is added to the arguments; honest clients request PATH, such as /dashboard.
"""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time

PATH, PROGRAM = sys.argv[1], sys.argv[2:]
MEMORY_KB, WITHIN_S = 60_000, 1.0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


PORT = free_port()


def connect():
    return socket.create_connection(("127.0.0.1", PORT), timeout=5)


def ask():
    """Sends one honest request; returns how long the answer took."""
    begun = time.monotonic()
    with connect() as client:
        client.sendall(f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    took = time.monotonic() - begun
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]
    return took


class Server:
    def __init__(self):
        self.process = subprocess.Popen([*PROGRAM, "--listen", f"127.0.0.1:{PORT}"], stderr=subprocess.DEVNULL)
        try:
            self.await_start()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        self.descriptors, self.threads = self.count("fd"), self.count("task")

    def await_start(self):
        for _ in range(600):
            with contextlib.suppress(OSError), connect():
                break
            assert self.process.poll() is None, "the program exited"
            time.sleep(0.1)
        ask()
        time.sleep(0.5)

    def count(self, what):
        return len(os.listdir(f"/proc/{self.process.pid}/{what}"))

    def memory_kb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            lines = dict(line.split(":", 1) for line in status)
        return int(lines["VmHWM"].split()[0])

    def check(self, name):
        """Checks while the misbehaving clients are connected."""
        slowest = max(ask() for _ in range(5))
        memory, threads = self.memory_kb(), self.count("task")
        print(f"{name}: answered within {slowest * 1000:.1f} ms, {memory / 1000:.1f} MB at most, {threads} threads")
        assert slowest < WITHIN_S, (name, slowest)
        assert memory < MEMORY_KB, (name, memory)
        assert threads <= self.threads, (name, threads, self.threads)

    def settle(self, name):
        """Waits until descriptors are freed after they have gone."""
        for _ in range(100):
            if self.count("fd") <= self.descriptors:
                return
            time.sleep(0.1)
        raise AssertionError(f"{name}: {self.count('fd')} descriptors, {self.descriptors} before")


def silent(server, name, count, text):
    """Many clients that send this text and then nothing."""
    clients = []
    for _ in range(count):
        client = connect()
        with contextlib.suppress(OSError):
            client.sendall(text.encode())
        clients.append(client)
    server.check(f"{count} x {name}")
    for client in clients:
        client.close()
    server.settle(name)


def endless_head(server):
    """A header line of 100 MB, on four connections at once."""
    def send():
        with contextlib.suppress(OSError), connect() as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
            for _ in range(100):
                client.sendall(b"x" * 1_000_000)

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    server.check("4 x 100 MB in one header line")
    for sender in senders:
        sender.join()
    server.check("and afterwards")
    server.settle("endless heads")


def large_bodies(server):
    """500 clients that announce 20 MB; every tenth also sends it."""
    head = b"POST /configure HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 20000000\r\n\r\n"
    clients = [connect() for _ in range(500)]
    refused = 0
    for number, client in enumerate(clients):
        with contextlib.suppress(OSError):
            client.sendall(head)
            if number % 10 == 0:
                client.sendall(b"x" * 20_000_000)
            refused += client.recv(1000).startswith(b"HTTP/1.1 413 ")
    server.check(f"500 x 20 MB announced, {refused} read 413")
    assert refused > 400, refused
    for client in clients:
        client.close()
    server.settle("large bodies")


def deaf(server):
    """Pipelined requests whose answers are not read."""
    line = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() * 2_000
    clients = []
    for _ in range(40):
        client = connect()
        client.settimeout(0.2)
        with contextlib.suppress(OSError):
            client.sendall(line)
        clients.append(client)
    server.check("40 x 2,000 requests whose answers are not read")
    for client in clients:
        client.close()
    server.settle("deaf clients")


def main():
    server = Server()
    start = "POST /configure HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    try:
        upgrade = start + "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1000\r\n\r\n"
        silent(server, "upgrade with a body", 40, upgrade)
        silent(server, "silent upload", 40, start + "Content-Length: 1000\r\n\r\n")
        silent(server, "silent upload", 600, start + "Content-Length: 1000\r\n\r\nx")
        silent(server, "Expect", 40, start + "Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n")
        silent(server, "unfinished chunk", 40, start + "Transfer-Encoding: chunked\r\n\r\nfff\r\nab")
        silent(server, "unfinished head", 40, start + "X-")
        silent(server, "half-open", 1000, "")
        endless_head(server)
        large_bodies(server)
        deaf(server)
        print(f"{os.path.basename(PROGRAM[0])}: {server.memory_kb() / 1000:.1f} MB at most in all, "
              f"{server.count('fd')} descriptors as before, {server.count('task')} threads")
    finally:
        server.process.terminate()
        assert server.process.wait(timeout=20) == 0


main()
