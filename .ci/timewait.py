"""Checks which side holds TIME_WAIT if the server closes after each response, and that 1,000 new connections/s keep the
schedule for 25 s. Runs in a separate network namespace with tcp_tw_reuse off.

Usage: unshare --net timewait.py FLOODGATE [WRK]
"""

import fcntl
import json
import shutil
import socket
import struct
import subprocess
import sys
import time

FLOODGATE = sys.argv[1]
WRK = sys.argv[2] if len(sys.argv) > 2 else shutil.which("wrk")
PORT = 8080
RATE, SECONDS = 1_000, 25
# Answers each connection once with Connection: close, and closes a millisecond later.
SERVER = """
import asyncio

async def serve(reader, writer):
    try:
        await reader.readuntil(b"\\r\\n\\r\\n")
        writer.write(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 2\\r\\n\\r\\nok")
        await writer.drain()
        await asyncio.sleep(0.001)
    except (OSError, EOFError):
        pass
    writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", {0}, backlog=4096)
    await server.serve_forever()

asyncio.run(main())
"""


def own_namespace():
    """Exits unless the network namespace is new (loopback down). Brings loopback up."""
    with socket.socket() as any_socket:
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, 0x8913, struct.pack("16sh14x", b"lo", 0)))[1]
        if flags & 0x1:  # SIOCGIFFLAGS, IFF_UP
            sys.exit("this is not a separate network namespace: use unshare --net")
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", flags | 0x1))  # SIOCSIFFLAGS
    with open("/proc/sys/net/ipv4/tcp_tw_reuse", "w", encoding="ascii") as file:
        file.write("0")


def client_side():
    """Counts connections in TIME_WAIT whose remote port is the server's."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return sum(1 for row in rows if row[3] == "06" and int(row[2].split(":")[1], 16) == PORT)


def floodgate(client):
    before = client_side()
    command = [FLOODGATE, "--json", "--url", f"http://127.0.0.1:{PORT}/", "--drivers", "1", "--connections", "64",
               "--rate", str(RATE), "--duration", f"{SECONDS}s", "--client", client]
    run = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 60, check=False)
    result = json.loads(run.stdout)
    total, sent = result["total"], result["conservation"]["sent"]
    share = (client_side() - before) / max(total["responses"], 1)
    print(f"{client:7} sent {sent:,}, queued {total['queued']:,}, errors {sum(total['errors'].values()):,}, lag p99 "
          f"{total['lag_ms']['p99']} ms: {share:.1%} in TIME_WAIT on the client's side; {result['verdict'][0]}")
    # A client that closes first runs out of ports after some 20,000 connections.
    assert sent == RATE * SECONDS and result["conservation"]["never_sent"] == 0, run.stdout
    return share


def wrk():
    before = client_side()
    run = subprocess.run([WRK, "-t1", "-c64", "-d5s", f"http://127.0.0.1:{PORT}/"], capture_output=True, text=True,
                         timeout=60, check=True)
    requests = next(int(line.split()[0]) for line in run.stdout.splitlines() if " requests in " in line)
    print(f"wrk     sent {requests:,}: {(client_side() - before) / requests:.1%} in TIME_WAIT on the client's side")


def main():
    own_namespace()
    with subprocess.Popen([sys.executable, "-c", SERVER.format(PORT)], stderr=subprocess.DEVNULL) as server:
        try:
            time.sleep(1)
            shares = [floodgate(client) for client in ("native", "ureq")]
            if WRK:
                wrk()
        finally:
            server.terminate()
    assert max(shares) < 0.2, shares


main()
