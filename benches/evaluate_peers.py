"""Runs the rule of the bench evaluate and the same rule through vectorbt on the same bars, interleaved.

    python benches/evaluate_peers.py --python VENV/bin/python --pairs 3

VENV needs vectorbt (pip install vectorbt); with vectorbt-rust beside it both of its engines are measured. Every run is
pinned to the last core; rates are bars per second of processor time, ratios medians over pairs of neighbouring runs, with
the compiled code of the peer warm. `--keep-memory` asks the allocator of both not to give memory back to the system
between repetitions, as in a process that evaluates often. This script itself needs the standard library alone: the peer
runs as `--peer ENGINE` under the other interpreter.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
# Seconds after which a run is given up: compilation takes most of a minute.
RUN_LIMIT_S = 600
# Repetitions within a peer, of which the median counts, as in the bench.
READINGS = 7
BARS = 525_600
FAST, SLOW = 10, 50
FEES, SLIPPAGE, CASH = 2e-4, 1e-4, 10_000.0
# Fees are taken in the asset on one side and in cash on the other, which differs by their square for each trade.
EQUITY_TOLERANCE = 0.01
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "400000000", "MALLOC_MMAP_THRESHOLD_": "400000000"}


def uniform(numpy, purpose):
    """SplitMix64 of a counter, as in benches/evaluate/bars.rs."""
    u64 = numpy.uint64
    with numpy.errstate(over="ignore"):
        z = (numpy.arange(BARS, dtype=u64) * u64(4) + u64(purpose + 1)) * u64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> u64(30))) * u64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> u64(27))) * u64(0x94D049BB133111EB)
    return ((z ^ (z >> u64(31))) >> u64(11)).astype(numpy.float64) / (1 << 53)


def bars(numpy, pandas):
    """Opens and closes of benches/evaluate/bars.rs, to the bit."""
    steps = 1.0 + 0.002 * (uniform(numpy, 0) - 0.5)
    walk = numpy.multiply.accumulate(numpy.concatenate([[20_000.0], steps]))
    opens = walk[:-1] * (1.0 + 0.0001 * (uniform(numpy, 1) - 0.5))
    index = pandas.date_range("1970-01-01", periods=BARS, freq="1min")
    return pandas.Series(opens, index=index), pandas.Series(walk[1:], index=index)


def median_seconds(work):
    """Processor seconds of `work`, which has run once before, and what it gave."""
    result, seconds = work(), []
    for _ in range(READINGS):
        start = time.process_time()
        result = work()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds), result


def peer(engine):
    """The JSON line of vectorbt: from closes to metrics and trades, and its simulation of the orders alone."""
    import numpy
    import pandas
    import vectorbt
    if "engine" in vectorbt.settings:
        vectorbt.settings["engine"] = engine
    opens, closes = bars(numpy, pandas)

    def signals():
        above = vectorbt.MA.run(closes, FAST).ma_above(vectorbt.MA.run(closes, SLOW)).values
        entries = numpy.concatenate([[False], above[:-1]])
        return entries, ~entries

    def portfolio(entries, exits):
        return vectorbt.Portfolio.from_signals(
            closes, entries, exits, price=opens, fees=FEES, slippage=SLIPPAGE, init_cash=CASH, freq="1min")

    def everything():
        account = portfolio(*signals())
        trades = account.trades
        figures = [account.total_return(), account.max_drawdown(), account.sharpe_ratio(), account.sortino_ratio(),
                   account.calmar_ratio(), trades.win_rate(), trades.profit_factor(), trades.expectancy()]
        return len(account.orders.records), len(trades.closed.records), figures

    whole, (fills, trades, figures) = median_seconds(everything)
    entries, exits = signals()
    alone, _ = median_seconds(lambda: portfolio(entries, exits))
    return {"bars_per_cpu_s": round(BARS / whole), "simulation_bars_per_cpu_s": round(BARS / alone), "fills": fills,
            "trades": trades, "total_return": figures[0], "win_rate": figures[5]}


def build():
    """Builds the bench and gives its path."""
    command = ["cargo", "bench", "--bench", "evaluate", "--no-run", "--message-format", "json"]
    out = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return next(m["executable"] for m in messages if m.get("target", {}).get("name") == "evaluate" and m.get("executable"))


def run(command, settings):
    """The last JSON line of `command`, or None when it fails."""
    command = ["taskset", "-c", str(max(os.sched_getaffinity(0)))] + command
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", **settings)
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=RUN_LIMIT_S)
    except subprocess.TimeoutExpired:
        return None
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if done.returncode == 0 and lines else None


def check(ours, theirs):
    """Refuses to compare rates of runs that did not come to the same."""
    for key in ("fills", "trades"):
        if abs(ours[key] - theirs[key]) > 2:
            sys.exit(f"the runs differ: {key} are {ours[key]} and {theirs[key]}")
    ratio = (1.0 + ours["total_return"]) / (1.0 + theirs["total_return"])
    if abs(ratio - 1.0) > EQUITY_TOLERANCE:
        sys.exit(f"the runs differ: the ratio of their last equities is {ratio}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="interpreter that has vectorbt")
    parser.add_argument("--pairs", type=int, default=3, help="pairs of runs for each engine")
    parser.add_argument("--keep-memory", action="store_true", help="both keep freed memory")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        print(json.dumps(peer(options.peer)))
        return
    bench, settings = build(), KEEP_MEMORY if options.keep_memory else {}
    for engine in ("numba", "rust"):
        reports = []
        for _ in range(options.pairs):
            ours = run([bench, "rule"], settings)
            theirs = run([options.python, os.path.abspath(__file__), "--peer", engine], settings)
            if ours is None or theirs is None:
                print(f"vectorbt ({engine}) did not run")
                break
            check(ours, theirs)
            reports.append((ours, theirs))
        if not reports:
            continue
        mine = statistics.median(ours["bars_per_cpu_s"] for ours, _ in reports)
        print(f"vectorbt ({engine}): ours {mine:,.0f} bars per CPU second", flush=True)
        for what, key in (("the same work", "bars_per_cpu_s"), ("its simulation alone", "simulation_bars_per_cpu_s")):
            ratios = [ours["bars_per_cpu_s"] / theirs[key] for ours, theirs in reports]
            rate = statistics.median(theirs[key] for _, theirs in reports)
            print(f"  {what} {rate:,.0f}; ratio {statistics.median(ratios):.2f} "
                  f"({min(ratios):.2f}..{max(ratios):.2f}, {len(ratios)} pairs)", flush=True)


if __name__ == "__main__":
    main()
