"""Runs the bench tpw1 and, where a folder of peers is given, other trainers on the same workload, interleaved.

    python benches/peers.py                                        ours alone
    python benches/peers.py --peers FOLDER --python VENV/bin/python --pairs 5

FOLDER holds peer_jax.py, peer_torch.py, peer_sb3.py and gemm_limit.py, each of which prints one JSON line; a peer
whose packages are absent is left out. One-thread runs are pinned to the last core. The ratios are medians over pairs
of neighbouring runs, of steps per second of processor time at one thread and of wall time at two. Only the standard
library is needed here.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

PEERS = {
    "jax, whole iteration jitted": ["peer_jax.py"],
    "PyTorch, one file": ["peer_torch.py", "--variant", "eager"],
    "Stable-Baselines3, vectorised env": ["peer_sb3.py", "--env", "vec"],
    "Stable-Baselines3, gymnasium env": ["peer_sb3.py", "--env", "gym"],
}
# Seconds after which a run is given up: compilation takes 15, a measurement 3 x --seconds.
RUN_LIMIT_S = 300


def build():
    """Builds the bench and gives its path."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    command = ["cargo", "bench", "--bench", "tpw1", "--no-run", "--message-format", "json"]
    out = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return next(m["executable"] for m in messages if m.get("target", {}).get("name") == "tpw1" and m.get("executable"))


def run(command, threads, cwd=None):
    """The JSON line of `command`, or None when it fails."""
    if threads == 1:
        command = ["taskset", "-c", str(max(os.sched_getaffinity(0)))] + command
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    try:
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=RUN_LIMIT_S)
    except subprocess.TimeoutExpired:
        return None
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if done.returncode == 0 and lines else None


def rate_of(report):
    """At one thread the rate by processor time, which a busy machine moves least; else by wall time."""
    return report["steps_per_cpu_s" if report["threads"] == 1 else "steps_per_s"]


def pairs(ours, theirs, threads, count, cwd):
    """Neighbouring runs of both, as (our rate, its rate, its report)."""
    result = []
    for _ in range(count):
        mine, other = run(ours, threads), run(theirs, threads, cwd)
        if mine is None or other is None:
            return []
        result.append((rate_of(mine), rate_of(other), other))
    return result


def mkl_gflops(arguments):
    """Rate of PyTorch's matrix product at the size that ours is measured at, or None."""
    report = run([arguments.python, "gemm_limit.py", "--threads", "1"], 1, arguments.peers)
    rates = report["gflops_median_best"] if report else []
    return next((rate["torch_mkl"][0] for rate in rates if rate["shape"] == "256x66x64"), None)


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="folder of the peers' scripts")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has the peers' packages")
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORD", help="peers whose name has one of these words")
    parser.add_argument("--bench", help="the built bench; built when absent")
    parser.add_argument("--envs", type=int, nargs="+", default=[8, 64, 1024])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--pairs", type=int, default=5)
    arguments = parser.parse_args()
    bench = arguments.bench or build()
    common = ["--threads", str(arguments.threads), "--seconds", str(arguments.seconds)]
    row("who", "envs", "threads", "steps/s and core" if arguments.threads == 1 else "steps/s", "ours / it", "share of GEMM", "peak MiB", "first update", "load")
    row(*["---"] * 9)
    for envs in arguments.envs:
        ours = [bench, "--envs", str(envs), *common]
        mine = run(ours, arguments.threads)
        if mine is None:
            sys.exit("the bench failed: run it alone to see why")
        row("walkforward", envs, arguments.threads, round(rate_of(mine)), 1, mine["gemm_share"],
            mine["peak_rss_mib"], f"{mine['first_update_ms']} ms", mine["load1"])
        for name, script in PEERS.items() if arguments.peers else []:
            if not any(word in name for word in arguments.only):
                continue
            theirs = [arguments.python, *script, "--envs", str(envs), *common]
            runs = pairs(ours, theirs, arguments.threads, arguments.pairs, arguments.peers)
            if not runs:
                row(name, envs, arguments.threads, "did not run", "", "", "", "", "")
                continue
            report = runs[-1][2]
            rate = statistics.median(its for _, its, _ in runs)
            ratio = statistics.median(our / its for our, its, _ in runs)
            row(name, envs, arguments.threads, round(rate), round(ratio, 2), "", report["peak_rss_mib"],
                f"{report.get('first_update_s', '')} s", report["load1"])
    if arguments.peers:
        print(f"product 256x66x64 on one core: ours {mine['gemm_gflops']}, torch {mkl_gflops(arguments)} GFLOP/s")


if __name__ == "__main__":
    main()
