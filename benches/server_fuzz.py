"""Asks a real `orchestrate serve` all that its description allows, and much that it does not.

    cargo build && python3 benches/server_fuzz.py [--binaries target/debug] [--examples 10] [--seed 7]

It fails on an answer with 500, on one that the description of its route does not know (status, media type, header, field),
on a value that is accepted though the description forbids it, on a route that answers without a token, on an answer that
tells a secret, a place on the disk or a piece of a stack, and on a server or trader that panics or is gone afterwards. It
takes about three minutes; `--examples 200` takes longer and finds more. The same seed asks the same.

Requests are made by schemathesis, whose version is pinned here; it comes from PyPI into `target/server-fuzz`, or is that of
`--python VENV/bin/python`. Those that no description can say (raw bytes, slow bodies) are in server_rude.py. The server has
a new folder with a champion, a schedule with a finished cycle, a training, a pack, a dataset and a trader on paper. It gets
no network.
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv

import server_rude

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
SCHEMATHESIS = "schemathesis==4.32.5"
# A training of seconds, on bars that are made up.
SMALL = ["--window-bars", "1500", "--holdout-bars", "300", "--iterations", "2", "--seed", "7"]
GOOD = {"EVAL_WIN_RATE": "0.62", "EVAL_MAX_DRAWDOWN": "0.12", "EVAL_PNL_PER_TRADE": "0.04"}
# Nothing listens there: what would ask a service on the network is refused at once.
NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1,localhost"}
# Seconds that a step of the preparation may take on a slow machine, and an answer.
STEP_LIMIT_S, ANSWER_LIMIT_S = 300, 90
# Longest answer of the server that is looked at, and the most of a log that is shown.
SHOWN_CHARS = 4_000
# What a body means is more than its schema says: settings by their key, a pack that the trainer has to take, one of two fields.
# So a body that fits may be refused as unusable; an address that fits may not.
CONFIGURATION = """
[[operations]]
include-method = ["POST", "PUT"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 422, 429]
"""
# The server lets five requests a second without a valid token through, after the first hundred.
RATE = "60/s"
# Words of an answer or of a log that say that something broke.
BREAKS = ["panicked at", "RUST_BACKTRACE", "stack backtrace"]


def python_with_schemathesis(given):
    if given:
        return given
    folder = os.path.join(ROOT, "target", "server-fuzz")
    python = os.path.join(folder, "bin", "python")
    stamp = os.path.join(folder, "installed")
    if not os.path.exists(stamp) or open(stamp).read() != SCHEMATHESIS:
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "-q", "install", SCHEMATHESIS], check=True, timeout=STEP_LIMIT_S)
        with open(stamp, "w") as file:
            file.write(SCHEMATHESIS)
    return python


class World:
    """A server in a new folder, with something of everything."""

    def __init__(self, binaries):
        self.dir = tempfile.mkdtemp(prefix="walkforward-fuzz-")
        self.binaries = os.path.abspath(binaries)
        self.env = {**os.environ, **NO_NETWORK}
        self.errors = open(os.path.join(self.dir, "server.err"), "w+")
        self.said = open(os.path.join(self.dir, "server.out"), "w+")

    def orchestrate(self, *args, env=None):
        command = [os.path.join(self.binaries, "orchestrate"), *args]
        done = subprocess.run(
            command, cwd=self.dir, env={**self.env, **(env or {})}, capture_output=True, text=True, timeout=STEP_LIMIT_S
        )
        if done.returncode != 0:
            sys.exit(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")

    def start(self):
        self.orchestrate("--once", "--quiet", *SMALL, env=GOOD)
        self.orchestrate("schedules", "add", "known", "--quiet", "--every", "24h", *SMALL, env=GOOD)
        self.server = subprocess.Popen(
            [os.path.join(self.binaries, "orchestrate"), "serve", "--json", "--listen", "127.0.0.1:0", *SMALL],
            cwd=self.dir, env=self.env, stdout=self.said, stderr=self.errors,
        )
        self.url = self.event("api_listening")["page"].rstrip("/")
        tokens = json.load(open(os.path.join(self.dir, "data", "api-tokens.json")))
        self.read, self.trade = tokens["read"], tokens["trade"]
        self.event("continuous_cycle_complete")
        self.ask("POST", "/api/packs", {"id": "known", "name": "Known", "config": {"iterations": 2}})
        dataset = {"id": "known", "name": "Known", "source_type": "synthetic", "source_config": {}}
        self.ask("POST", "/api/datasets", dataset)
        self.ask("POST", "/api/training/launch", {"id": "known"})
        self.session = self.ask("POST", "/api/live/start", {"source": "synthetic", "speed": "3600"})["session_id"]
        return self

    def event(self, kind):
        """Waits until the server says so."""
        began = time.monotonic()
        while time.monotonic() - began < STEP_LIMIT_S and self.server.poll() is None:
            for line in open(self.said.name):
                if line.endswith("\n") and json.loads(line)["event"] == kind:
                    return json.loads(line)["data"]
            time.sleep(0.05)
        sys.exit(f"no {kind} came; the server said: {self.log()}")

    def ask(self, method, path, body=None, token=None):
        headers = {"authorization": f"Bearer {token or self.trade}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=ANSWER_LIMIT_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            sys.exit(f"{method} {path}: {error.code} {error.read().decode()}")

    def log(self):
        return open(self.errors.name).read()[-SHOWN_CHARS:]

    def traders(self):
        """The processes of its traders: those whose folder is this world's."""
        found = []
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and os.readlink(f"/proc/{name}/cwd").startswith(self.dir):
                    found.append((int(name), os.path.basename(os.readlink(f"/proc/{name}/exe"))))
            except OSError:
                continue
        return [pid for pid, program in found if program.startswith("live-trader")]

    def stop(self):
        """Ends the server and its traders; what was wrong with their ends."""
        for pid in self.traders():
            os.kill(pid, signal.SIGTERM)
        self.server.terminate()
        wrong = []
        try:
            code = self.server.wait(timeout=60)
            wrong += [f"the server ended with {code}"] if code != 0 else []
        except subprocess.TimeoutExpired:
            self.server.kill()
            wrong.append("the server did not end when it was asked to")
        deadline = time.monotonic() + 30
        while self.traders() and time.monotonic() < deadline:
            time.sleep(0.1)
        for pid in self.traders():
            os.kill(pid, signal.SIGKILL)
            wrong.append(f"the trader {pid} did not end when it was asked to")
        return wrong


def described(world):
    """The served description, with the names of what there is, so that more than 404 is answered."""
    description = world.ask("GET", "/api/openapi.json")
    cycles = world.ask("GET", "/api/schedules/known/cycles")["cycles"]
    names = {
        "/api/schedules/": "known",
        "/api/packs/": "known",
        "/api/datasets/": "known",
        "/api/experiments/": cycles[0]["experiment_id"],
        "/api/data/": cycles[0]["run_id"],
        "/api/training/": "known",
        "/api/models/": world.ask("GET", "/api/models")["models"][0]["model_id"],
        "/api/live/sessions/": world.session,
        "/api/lines/": "default",
    }
    for path, item in description["paths"].items():
        name = next((name for start, name in names.items() if path.startswith(start)), None)
        for method, operation in item.items():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path" and parameter["name"] in ("id", "line") and name and method != "delete":
                    parameter["examples"] = {"known": {"value": name}}
    # The protocol of a WebSocket is spoken by the tests of the server.
    description["paths"].pop("/ws", None)
    place = os.path.join(world.dir, "described.json")
    with open(place, "w") as file:
        json.dump(description, file)
    return place


def schemathesis(python, world, description, token, examples, seed, report):
    configuration = os.path.join(world.dir, "schemathesis.toml")
    with open(configuration, "w") as file:
        file.write(CONFIGURATION)
    command = [
        python, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "--config-file", configuration,
        "run", description, "--rate-limit", RATE,
        "--url", world.url, "--header", f"Authorization: Bearer {token}", "--checks", "all", "--no-color",
        "--seed", str(seed), "--max-examples", str(examples), "--request-timeout", str(ANSWER_LIMIT_S),
        "--generation-database", "none", "--suppress-health-check", "all", "--continue-on-failure",
        "--report", "ndjson", "--report-ndjson-path", report,
    ]
    environment = {**os.environ, "NO_PROXY": "*"}
    return subprocess.run(command, cwd=world.dir, env=environment).returncode


def secrets_told(world, report):
    """Lines of the report whose answers tell what no answer may."""
    wrong = []
    for line in open(report):
        for secret in [world.dir, os.path.realpath(world.dir), *BREAKS]:
            if secret in line:
                wrong.append(f"an answer or request has '{secret}': {line[:SHOWN_CHARS]}")
    return wrong


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--binaries", default=os.path.join(ROOT, "target", "debug"), help="folder of orchestrate, live-trader")
    options.add_argument("--examples", type=int, default=10, help="requests of each kind for each route")
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--python", help="interpreter that has schemathesis")
    options.add_argument("--keep", action="store_true", help="keep the folder")
    args = options.parse_args()
    python, began = python_with_schemathesis(args.python), time.monotonic()
    world, wrong = World(args.binaries), []
    try:
        world.start()
        description = described(world)
        wrong += server_rude.ask_all(world)
        for scope, token, examples in [("trade", world.trade, args.examples), ("read", world.read, max(args.examples // 10, 1))]:
            print(f"== with the token of scope {scope}", flush=True)
            report = os.path.join(world.dir, f"{scope}.ndjson")
            if schemathesis(python, world, description, token, examples, args.seed, report) != 0:
                wrong.append(f"schemathesis, with the token of scope {scope}: see above")
            wrong += secrets_told(world, report)[:5]
        world.ask("GET", "/api/ready")
    finally:
        wrong += world.stop()
    wrong += [f"the server's log has '{word}': {world.log()}" for word in BREAKS if word in open(world.errors.name).read()]
    if not args.keep:
        shutil.rmtree(world.dir)
    print(f"{len(wrong)} things are wrong, after {time.monotonic() - began:.0f} s", *wrong, sep="\n- ")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
