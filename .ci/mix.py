"""A mix of three requests over a fleet, as nginx and an application server saw it.

Usage: "$(.ci/python-env)" .ci/mix.py FOLDER BROKER

FOLDER contains floodgate and floodgate-driver. nginx passes every request to an application
under waitress and logs it with its body. One orchestrator and three drivers run a plan with weights, a feed, bodies
and checks. Then the log must have the exact shares, each row once, and bodies that the application understood; and
the figures by name must be those of the log.
"""

import collections
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

from waitress.server import create_server

FOLDER, BROKER = sys.argv[1:3]
DRIVERS, ROUNDS = 3, 40
WEIGHTS = {"search": 6, "cart": 2, "order": 1}
COUNT = DRIVERS * ROUNDS * sum(WEIGHTS.values())
ROWS = DRIVERS * ROUNDS
NGINX = """daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
log_format all escape=json '{{"method":"$request_method","uri":"$request_uri","status":$status,"body":"$request_body",'
  '"type":"$content_type","key":"$http_idempotency_key"}}';
access_log {folder}/access.log all; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
keepalive_requests 1000000; client_body_buffer_size 64k; client_body_in_single_buffer on;
upstream application {{ server 127.0.0.1:{application}; keepalive 32; }}
server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://application; proxy_http_version 1.1;
  proxy_set_header Connection ""; }} }} }}
"""
PLAN = """
target_url = "http://127.0.0.1:{port}"
rate = 300
count = {count}
connections = 12
fail_if = ["failed_checks > 0", "order.errors > 0", "search.p99 > 5s"]

[feeds.users]
file = "users.csv"
pick = "unique"

[[requests]]
name = "search"
weight = 6
url = "/search?q={{{{choice(shoes,socks,'blue hats')|url}}}}&page={{{{int(1,20)}}}}"
expect = {{ status = 200, contains = '"hits"', json = {{ "/page" = ">= 1" }} }}

[[requests]]
name = "cart"
weight = 2
url = "/cart/{{{{counter}}}}"
method = "DELETE"
expect = {{ status = 204 }}

[[requests]]
name = "order"
url = "/orders"
headers = {{ content-type = "application/json", idempotency-key = "{{{{uuid}}}}" }}
body = '{{"user": "{{{{users.id|json}}}}", "name": "{{{{users.name|json}}}}", "at": {{{{now_ms}}}}}}'
expect = {{ status = [200, 201], json = {{ "/accepted" = true }} }}
"""


def application(environ, start_response):
    """A shop that answers only what it understands."""
    path, query = environ["PATH_INFO"], urllib.parse.parse_qs(environ.get("QUERY_STRING", ""))
    status, answer = "404 Not Found", {"error": path}
    if path == "/search":
        status, answer = "200 OK", {"hits": [query["q"][0]], "page": int(query["page"][0])}
    elif path.startswith("/cart/"):
        status, answer = "204 No Content", None
    elif path == "/orders":
        order = json.loads(environ["wsgi.input"].read())
        is_known = USERS.get(order["user"]) == order["name"] and abs(order["at"] / 1000 - time.time()) < 60
        status, answer = ("201 Created" if is_known else "422 Unprocessable Entity"), {"accepted": is_known}
    body = b"" if answer is None else json.dumps(answer).encode()
    headers = [("content-type", "application/json")] if body else []
    start_response(status, headers + ([("content-length", str(len(body)))] if body else []))
    return [body]


# Names that need escaping in JSON and in CSV.
USERS = {f"u{n}": f'name "{n}", \\ größe' for n in range(ROWS)}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait(what, found):
    deadline = time.monotonic() + 60
    while not found():
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(0.1)


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.read()
    except OSError:
        return None


def check(what, found, expected):
    assert found == expected, f"{what}: {found!r}, expected {expected!r}"


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)
    return os.path.join(folder, name)


def entries(folder):
    """What nginx logged, without the question whether it is a floodgate-target."""
    with open(os.path.join(folder, "access.log"), encoding="utf-8") as log:
        return [entry for entry in map(json.loads, log) if entry["uri"] != "/metrics"]


def name_of(entry):
    names = {"GET /search": "search", "DELETE /cart": "cart", "POST /orders": "order"}
    return names[entry["method"] + " " + re.match(r"/[a-z]+", entry["uri"]).group()]


def fleet(start, target):
    port = free_port()
    words = ["--kafka", BROKER, "--topic-prefix", f"mix-{os.getpid()}-"]
    program = os.path.join(FOLDER, "floodgate")
    start([program, "orchestrator", *words, "--listen", f"127.0.0.1:{port}"])
    for number in range(DRIVERS):
        # A role is the same as a command and as a program.
        driver = [program, "driver"] if number else [program + "-driver"]
        start([*driver, *words, "--node-id", f"driver-{number}", "--node-ip", "127.0.0.1",
               "--target", f"http://127.0.0.1:{target}/"])
    page = f"http://127.0.0.1:{port}"

    def alive():
        dashboard = json.loads(answers(f"{page}/dashboard") or b"{}")
        # A plan names only drivers that have sent a heartbeat since they registered.
        nodes = dashboard.get("fleet", [])
        return sum(node["state"] == "alive" and bool(node.get("activity")) for node in nodes) == DRIVERS
    wait("three drivers", alive)
    return page


def run(plan, page):
    words = [os.path.join(FOLDER, "floodgate"), "run", plan, "--orchestrator", page, "--json"]
    done = subprocess.run(words, stdout=subprocess.PIPE, timeout=180, check=False)
    summary = json.loads(done.stdout)
    check("exit code", (done.returncode, summary["verdict"]), (0, summary["verdict"]))
    return summary


def compare(summary, log):
    """The log against the plan, and the result against the log."""
    check("requests in the log", len(log), COUNT)
    by_name = collections.Counter(map(name_of, log))
    check("shares in the log", by_name, {name: weight * ROUNDS * DRIVERS for name, weight in WEIGHTS.items()})
    orders = [json.loads(entry["body"]) for entry in log if name_of(entry) == "order"]
    check("users that ordered", sorted(order["user"] for order in orders), sorted(USERS))
    check("names of them", {order["user"]: order["name"] for order in orders}, USERS)
    keys = {entry["key"] for entry in log if name_of(entry) == "order"}
    check("different keys", len(keys), ROWS)
    carts = {entry["uri"] for entry in log if name_of(entry) == "cart"}
    check("different carts", len(carts), WEIGHTS["cart"] * ROUNDS * DRIVERS)
    pages = collections.Counter(urllib.parse.parse_qs(entry["uri"].split("?")[1])["page"][0]
                                for entry in log if name_of(entry) == "search")
    check("pages", sorted(map(int, pages)), list(range(1, 21)))
    for one in summary["requests"]:
        logged = collections.Counter(str(entry["status"]) for entry in log if name_of(entry) == one["name"])
        check(f"statuses of {one['name']}", one["status"], dict(logged))
        check(f"requests of {one['name']}", one["requests"], sum(logged.values()))
    check("total", summary["total"]["requests"], COUNT)
    check("failed checks", summary["total"].get("failed_checks", 0), 0)
    drivers = {row["node_id"]: row["requests"] for row in summary["drivers"]}
    check("drivers", drivers, {f"driver-{n}": COUNT // DRIVERS for n in range(DRIVERS)})


def main():
    with tempfile.TemporaryDirectory() as scratch:
        processes = []

        def start(words):
            log = open(os.path.join(scratch, f"log-{len(processes)}"), "w", encoding="utf-8")
            processes.append(subprocess.Popen(words, stdout=log, stderr=log))
        port = free_port()
        server = create_server(application, host="127.0.0.1", port=0, threads=8)
        threading.Thread(target=server.run, daemon=True).start()
        config = NGINX.format(folder=scratch, port=port, application=server.effective_port)
        start(["nginx", "-c", write(scratch, "nginx.conf", config)])
        try:
            wait("nginx", lambda: answers(f"http://127.0.0.1:{port}/search?q=x&page=1"))
            rows = "".join('{},"{}"\n'.format(user, name.replace('"', '""')) for user, name in USERS.items())
            write(scratch, "users.csv", "id,name\n" + rows)
            plan = write(scratch, "plan.toml", PLAN.format(port=port, count=COUNT))
            before = len(entries(scratch))
            summary = run(plan, fleet(start, port))
            compare(summary, entries(scratch)[before:])
            shares = ", ".join(f"{one['name']} {one['requests']:,}" for one in summary["requests"])
            print(f"mix: {shares} as nginx logged them; {ROWS} rows, each ordered once; {summary['verdict'][0]}")
        except BaseException:
            for number in range(len(processes)):
                with open(os.path.join(scratch, f"log-{number}"), encoding="utf-8") as log:
                    print(f"--- process {number}\n{log.read()[-2000:]}", file=sys.stderr)
            raise
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(30)


main()
