"""What a trader's decisions take beside 500 clients of a server's WebSocket, and without them.

    cargo build --release && python3 benches/trader_beside.py [--pairs 3] [--bars-per-second 10]

A `live-trader` on paper, a process of its own, decides on made-up bars at that speed. In turn it has the machine to itself,
and the bench `websocket` (500 clients, 200 messages a second, 30 s) beside it. Each turn is a line of JSON. `decision_us` is
from the trader's own histogram `walkforward_decision_compute_seconds`: wall time from a bar's fills to its order, other
processes' turns included, so its processor time is no more than that; `median` is interpolated within its bucket.
`cpu_us_per_bar` is processor time of the trader's whole process (journal, tables, metrics, the clock between the bars).
"""
import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
SMALL = ["--window-bars", "1500", "--holdout-bars", "300", "--iterations", "2", "--seed", "7"]
GOOD = {"EVAL_WIN_RATE": "0.62", "EVAL_MAX_DRAWDOWN": "0.12", "EVAL_PNL_PER_TRADE": "0.04"}
HISTOGRAM = "walkforward_decision_compute_seconds_bucket"
# Seconds of a turn, and until a trader has to decide.
TURN_S, START_LIMIT_S = 30, 120
BAR_S = 3_600


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def buckets(port):
    """How many decisions took at most so many microseconds, so far."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = [line for line in answer.read().decode().splitlines() if line.startswith(HISTOGRAM)]
    bound = lambda line: float(line.split('le="')[1].split('"')[0]) * 1e6
    return {bound(line): int(line.rsplit(" ", 1)[1]) for line in lines}


def cpu_s(process):
    with open(f"/proc/{process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def median_us(counts):
    """Interpolated in the bucket that holds the middle decision."""
    half, low, below = max(counts.values()) / 2, 0.0, 0
    for bound in sorted(counts):
        if counts[bound] >= half:
            return low + (bound - low) * (half - below) / max(counts[bound] - below, 1)
        low, below = bound, counts[bound]


def turn(name, port, trader, work):
    """The decisions while `work` goes on."""
    before, cpu = buckets(port), cpu_s(trader)
    beside = work()
    after, cpu = buckets(port), cpu_s(trader) - cpu
    counts = {bound: after[bound] - before[bound] for bound in after}
    bars = max(counts.values())
    within = {f"{bound:g}": round(count / bars, 4) for bound, count in sorted(counts.items()) if bound <= 100}
    line = {"turn": name, "bars": bars, "decision_us": {"median": round(median_us(counts), 2), "share_within": within},
            "cpu_us_per_bar": round(cpu / bars * 1e6, 1), "load1": os.getloadavg()[0], "beside": beside}
    print(json.dumps(line), flush=True)
    return median_us(counts)


def bench():
    """The program of the bench."""
    command = ["cargo", "bench", "-p", "walkforward-server", "--bench", "websocket", "--no-run", "--message-format=json"]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    built = [json.loads(line).get("executable") for line in told if '"websocket"' in line]
    return [program for program in built if program][-1]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--binaries", default=os.path.join(ROOT, "target", "release"))
    options.add_argument("--websocket", help="program of the bench websocket; default: cargo builds it")
    options.add_argument("--pairs", type=int, default=3)
    options.add_argument("--bars-per-second", type=int, default=10)
    args = options.parse_args()
    program, folder, port = args.websocket or bench(), tempfile.mkdtemp(prefix="walkforward-beside-"), free_port()
    binary = lambda name: os.path.join(os.path.abspath(args.binaries), name)
    once = [binary("orchestrate"), "--once", "--quiet", *SMALL]
    subprocess.run(once, cwd=folder, env={**os.environ, **GOOD}, check=True)
    speed = str(BAR_S * args.bars_per_second)
    command = [binary("live-trader"), "--quiet", "--speed", speed, "--bars", "1000000", "--metrics", f"127.0.0.1:{port}"]
    trader = subprocess.Popen(command, cwd=folder)
    try:
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline and trader.poll() is None:
            try:
                if max(buckets(port).values(), default=0) > 20:
                    break
            except OSError:
                pass
            time.sleep(0.2)
        load = lambda: json.loads(subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        alone, beside = [], []
        for _ in range(args.pairs):
            alone.append(turn("alone", port, trader, lambda: time.sleep(TURN_S)))
            beside.append(turn("beside", port, trader, load))
        print(json.dumps({"median_us_alone": statistics.median(alone), "median_us_beside": statistics.median(beside)}))
    finally:
        trader.terminate()
        trader.wait(timeout=60)
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
