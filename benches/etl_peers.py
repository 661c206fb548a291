"""Runs the bench etl and, beside it, what people use in Python for the same work on the same bars, interleaved.

    python benches/etl_peers.py --python VENV/bin/python --pairs 3              every part
    python benches/etl_peers.py --python VENV/bin/python --part features        one part

VENV needs numpy, pandas, TA-Lib and alpaca-py (pip install pandas TA-Lib alpaca-py); a peer whose packages are absent is left out. Every
run is pinned to the last core. Rates are rows or bars per second of processor time, ratios medians over pairs of neighbouring
runs. This script itself needs the standard library alone: peers run as `--peer NAME` under the other interpreter.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
# Seconds after which a run is given up.
RUN_LIMIT_S = 600
# Runs within a peer, of which the fastest counts, as in the bench.
RUNS = 3

# ---------------------------------------------------------------- features

FEATURE_ROWS = 2_628_000
# Largest difference between our last row and a peer's: ours are f32, and pandas begins its averages otherwise.
LAST_ROW_TOLERANCE = 2e-5


def uniform(numpy, purpose):
    """SplitMix64 of a counter, as in benches/etl/features.rs."""
    u64 = numpy.uint64
    with numpy.errstate(over="ignore"):
        z = (numpy.arange(FEATURE_ROWS, dtype=u64) * u64(4) + u64(purpose + 1)) * u64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> u64(30))) * u64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> u64(27))) * u64(0x94D049BB133111EB)
    return ((z ^ (z >> u64(31))) >> u64(11)).astype(numpy.float64) / (1 << 53)


def feature_bars(numpy):
    """High, low, close and volume of the walk in benches/etl/features.rs, to the bit."""
    steps = 1.0 + 0.002 * (uniform(numpy, 0) - 0.5)
    walk = numpy.multiply.accumulate(numpy.concatenate([[20_000.0], steps]))
    opens, closes = walk[:-1], walk[1:].copy()
    highs = numpy.maximum(opens, closes) * (1.0 + 0.0005 * uniform(numpy, 1))
    lows = numpy.minimum(opens, closes) * (1.0 - 0.0005 * uniform(numpy, 2))
    volumes = numpy.where(numpy.arange(FEATURE_ROWS) % 50 == 0, 0.0, 10.0 * uniform(numpy, 3))
    return highs, lows, closes, volumes


def rows_of(numpy, columns):
    """The rows in which every column is defined, as f32, row-major."""
    rows = min(len(column) for column in columns)
    matrix = numpy.empty((rows, len(columns)), numpy.float32)
    for index, column in enumerate(columns):
        matrix[:, index] = column[len(column) - rows:]
    return matrix


def features_talib(numpy, talib, high, low, close, volume):
    """The 18 columns through TA-Lib and numpy."""
    tanh = numpy.tanh

    def compared(values, norm):
        deviation = talib.STDDEV(values, norm, 1.0) * (norm / (norm - 1)) ** 0.5
        return tanh((values - talib.SMA(values, norm)) / deviation)[norm - 1:]

    fast, slow = talib.SMA(close, 20), talib.SMA(close, 50)
    deviation = talib.STDDEV(close, 24, 1.0)[23:] * (24 / 23) ** 0.5 / close[23:]
    upper, _, lower = talib.BBANDS(close, 20, 2.0, 2.0, 0)
    macd = talib.MACD(close, 12, 26, 9)
    k, d = talib.STOCH(high, low, close, 14, 3, 0, 3, 0)
    obv = talib.OBV(close, volume)
    return rows_of(numpy, [
        tanh(0.1 * talib.ROC(close, 1)),
        (talib.RSI(close, 14) - 50.0) / 50.0,
        tanh(10.0 * (close / fast - 1.0)),
        tanh(10.0 * (close / slow - 1.0)),
        tanh(20.0 * (fast / slow - 1.0)),
        deviation,
        compared(deviation, 72),
        numpy.log1p(volume / talib.SMA(volume, 20)),
        numpy.clip((close - lower) / (upper - lower), 0.0, 1.0),
        *[tanh(100.0 * line / close) for line in macd],
        compared(talib.ATR(high, low, close, 14)[14:], 72),
        k / 50.0 - 1.0,
        d / 50.0 - 1.0,
        (obv[20:] - obv[:-20]) / talib.SUM(volume, 20)[20:],
        tanh(0.1 * talib.ROC(close, 12)),
        tanh(talib.CCI(high, low, close, 20) / 200.0),
    ])


def shifted_distances(numpy, typical, centre):
    """How far the last 20 values are from their mean, on average: 20 shifted series."""
    return sum((typical.shift(lag) - centre).abs() for lag in range(20)) / 20.0


def applied_distances(numpy, typical, centre):
    """The same as most people write it."""
    return typical.rolling(20).apply(lambda window: numpy.abs(window - window.mean()).mean(), raw=True)


def features_pandas(numpy, pandas, mean_distances, high, low, close, volume):
    """The 18 columns through pandas; the mean distance inside the CCI, which pandas does not have, as given."""
    tanh = numpy.tanh
    high, low, close, volume = (pandas.Series(values) for values in (high, low, close, volume))

    def compared(values, norm):
        window = values.rolling(norm)
        return tanh((values - window.mean()) / window.std())

    before = close.shift(1)
    change = close - before
    gain = change.clip(lower=0.0).ewm(alpha=1 / 14, adjust=False).mean()
    move = change.abs().ewm(alpha=1 / 14, adjust=False).mean()
    fast, slow = close.rolling(20).mean(), close.rolling(50).mean()
    deviation = close.rolling(24).std() / close
    line = close.ewm(span=12, adjust=False).mean() - close.ewm(span=26, adjust=False).mean()
    signal = line.ewm(span=9, adjust=False).mean()
    reach = numpy.maximum(high, before) - numpy.minimum(low, before)
    lowest, highest = low.rolling(14).min(), high.rolling(14).max()
    k = (100.0 * (close - lowest) / (highest - lowest)).rolling(3).mean()
    typical = (high + low + close) / 3.0
    centre = typical.rolling(20).mean()
    spread = mean_distances(numpy, typical, centre)
    columns = [
        tanh(10.0 * close.pct_change(1)),
        2.0 * gain / move - 1.0,
        tanh(10.0 * (close / fast - 1.0)),
        tanh(10.0 * (close / slow - 1.0)),
        tanh(20.0 * (fast / slow - 1.0)),
        deviation,
        compared(deviation, 72),
        numpy.log1p(volume / volume.rolling(20).mean()),
        (0.5 + (close - fast) / (4.0 * close.rolling(20).std(ddof=0))).clip(0.0, 1.0),
        *[tanh(100.0 * x / close) for x in (line, signal, line - signal)],
        compared(reach.ewm(alpha=1 / 14, adjust=False).mean(), 72),
        k / 50.0 - 1.0,
        k.rolling(3).mean() / 50.0 - 1.0,
        (numpy.sign(change) * volume).rolling(20).sum() / volume.rolling(20).sum(),
        tanh(10.0 * close.pct_change(12)),
        tanh((typical - centre) / (0.015 * spread) / 200.0),
    ]
    return rows_of(numpy, [column.to_numpy()[94:] for column in columns])


def peak_rss_mib():
    """Most memory that was resident at once, in MiB."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))


def features_peer(compute):
    """A JSON line as the bench prints it, for `compute(high, low, close, volume)`."""
    import numpy
    bars = feature_bars(numpy)
    seconds, last_row = float("inf"), []
    for _ in range(RUNS):
        start = time.process_time()
        matrix = compute(numpy, *bars)
        seconds = min(seconds, time.process_time() - start)
        last_row = [float(value) for value in matrix[-1]]
        del matrix
    return {"rows": FEATURE_ROWS, "columns": len(last_row), "cpu_seconds": round(seconds, 4),
            "rows_per_cpu_s": round(FEATURE_ROWS / seconds), "peak_rss_mib": round(peak_rss_mib()),
            "last_row": last_row}


def peer_features_talib():
    import talib
    return features_peer(lambda numpy, *bars: features_talib(numpy, talib, *bars))


def peer_features_pandas():
    import pandas
    return features_peer(lambda numpy, *bars: features_pandas(numpy, pandas, shifted_distances, *bars))


def peer_features_pandas_apply():
    import pandas
    return features_peer(lambda numpy, *bars: features_pandas(numpy, pandas, applied_distances, *bars))


def check_features(ours, peer):
    """Refuses to compare rates of columns that are not the same."""
    worst = max(abs(a - b) for a, b in zip(ours["last_row"], peer["last_row"], strict=True))
    if worst > LAST_ROW_TOLERANCE:
        sys.exit(f"the last rows differ by {worst}: {ours['last_row']} and {peer['last_row']}")


# ---------------------------------------------------------------- a page of the Alpaca service

PAGE_BARS = 10_000


def page_bits(index, purpose):
    """SplitMix64 of a counter, as in benches/etl/page.rs."""
    mask = (1 << 64) - 1
    z = ((index * 4 + purpose + 1) * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def page_body():
    """The page of benches/etl/page.rs, to the byte."""
    def decimal(number, digits):
        whole, part = divmod(number, 10**digits)
        return f"{whole}.{part:0{digits}d}"

    bars, cents = [], 4_228_358
    for index in range(PAGE_BARS):
        step, high, low, volume = (page_bits(index, purpose) for purpose in range(4))
        opened = cents
        cents = cents - 1_000 + step % 2_001
        top, bottom = max(opened, cents) + high % 500, min(opened, cents) - low % 500
        mean = (top + bottom) // 2
        bars.append(
            f'{{"t":"2024-01-{1 + index // 1440:02d}T{index // 60 % 24:02d}:{index % 60:02d}:00Z",'
            f'"o":{decimal(opened, 2)},"h":{decimal(top, 2)},"l":{decimal(bottom, 2)},"c":{decimal(cents, 2)},'
            f'"v":{decimal(volume % 20_000_000_000, 9)},"n":{volume % 300},'
            f'"vw":{decimal(mean * 100_000_000 + volume % 100_000_000, 10)}}}'
        )
    return '{"bars":{"BTC/USD":[' + ",".join(bars) + ']},"next_page_token":null}'


def peer_page_alpaca_py():
    """The page to the objects that alpaca-py hands its callers."""
    from alpaca.data.models import BarSet
    body, seconds = page_body().encode(), float("inf")
    for _ in range(10 * RUNS):
        start = time.process_time()
        bars = BarSet(json.loads(body)["bars"])
        seconds = min(seconds, time.process_time() - start)
    checksum = round(sum(bar.close for bar in bars.data["BTC/USD"]), 2)
    return {"bars": PAGE_BARS, "bytes": len(body), "bars_per_cpu_s": round(PAGE_BARS / seconds),
            "peak_rss_mib": round(peak_rss_mib()), "checksum": checksum}


def check_page(ours, peer):
    """Refuses to compare rates of pages that are not the same."""
    for key in ("bars", "bytes", "checksum"):
        if ours[key] != peer[key]:
            sys.exit(f"the pages differ: {key} is {ours[key]} and {peer[key]}")


# ---------------------------------------------------------------- csv

# The file that `cargo bench --bench etl -- csv` makes and reads; it runs before each peer.
CSV_FILE = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "tmp", "etl-bars-2628000.csv")


def peer_csv_pandas():
    """read_csv, to_datetime, and the checks that our reader makes of every bar and of their order."""
    import numpy
    import pandas
    seconds = float("inf")
    for _ in range(RUNS):
        start = time.process_time()
        frame = pandas.read_csv(CSV_FILE)
        frame["open_time"] = pandas.to_datetime(frame["open_time"], utc=True)
        prices = frame[["open", "high", "low", "close"]].to_numpy()
        # As plain 64-bit numbers: with a zone, to_numpy would make an object of every time.
        steps = numpy.diff(frame["open_time"].dt.tz_convert(None).to_numpy())
        good = (numpy.isfinite(prices).all() and (prices > 0).all()
                and (frame["high"].to_numpy() >= prices.max(axis=1)).all()
                and (frame["low"].to_numpy() <= prices.min(axis=1)).all()
                and (frame["volume"].to_numpy() >= 0).all()
                and (steps == numpy.timedelta64(60, "s")).all())
        seconds = min(seconds, time.process_time() - start)
        assert good
    return {"name": "csv", "rows": len(frame), "rows_per_cpu_s": len(frame) / seconds,
            "peak_rss_mib": peak_rss_mib(), "checksum": float(frame["close"].sum())}


def check_csv(ours, peer):
    assert ours["rows"] == peer["rows"], (ours["rows"], peer["rows"])
    assert abs(ours["checksum"] / peer["checksum"] - 1) < 1e-9, (ours["checksum"], peer["checksum"])


# ---------------------------------------------------------------- all parts

# Part of the bench: (rate in its JSON line, peers by name, check that both computed the same).
PARTS = {
    "features": ("rows_per_cpu_s",
                 {"TA-Lib + numpy": peer_features_talib, "pandas": peer_features_pandas,
                  "pandas with rolling.apply": peer_features_pandas_apply},
                 check_features),
    "csv": ("rows_per_cpu_s", {"pandas": peer_csv_pandas}, check_csv),
    "page": ("bars_per_cpu_s", {"alpaca-py": peer_page_alpaca_py}, check_page),
}


def build():
    """Builds the bench and gives its path."""
    command = ["cargo", "bench", "--bench", "etl", "--no-run", "--message-format", "json"]
    out = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return next(m["executable"] for m in messages if m.get("target", {}).get("name") == "etl" and m.get("executable"))


def run(command):
    """The first JSON line of `command`, or None when it fails."""
    command = ["taskset", "-c", str(max(os.sched_getaffinity(0)))] + command
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=RUN_LIMIT_S)
    except subprocess.TimeoutExpired:
        return None
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[0]) if done.returncode == 0 and lines else None


def compare(part, bench, python, pairs):
    """Prints the rates of ours and of each peer, and the median ratio over neighbouring runs."""
    rate, peers, check = PARTS[part]
    for name in peers:
        ratios, reports = [], []
        for _ in range(pairs):
            mine = run([bench, part])
            other = run([python, os.path.abspath(__file__), "--peer", f"{part}/{name}"])
            if mine is None or other is None:
                break
            check(mine, other)
            ratios.append(mine[rate] / other[rate])
            reports.append((mine, other))
        if not ratios:
            print(f"{part}: {name} did not run")
            continue
        middle = [statistics.median(report[side][rate] for report in reports) for side in (0, 1)]
        memory = [max(report[side].get("peak_rss_mib", 0) for report in reports) for side in (0, 1)]
        print(f"{part}: ours {middle[0]:,.0f}, {name} {middle[1]:,.0f} {rate}; "
              f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f}, {len(ratios)} pairs); "
              f"peak memory {memory[0]:.0f} and {memory[1]:.0f} MiB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="interpreter that has the peers' packages")
    parser.add_argument("--part", choices=PARTS, help="one part instead of all")
    parser.add_argument("--pairs", type=int, default=3, help="pairs of runs for each peer")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        part, name = options.peer.split("/", 1)
        print(json.dumps(PARTS[part][1][name]()))
        return
    bench = build()
    for part in [options.part] if options.part else PARTS:
        compare(part, bench, options.python, options.pairs)


if __name__ == "__main__":
    main()
