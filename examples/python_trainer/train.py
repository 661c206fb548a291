#!/usr/bin/env python3
"""Trains a linear policy from a job folder, with nothing but Python's standard library.

    orchestrate --once --launcher command --command "python3 examples/python_trainer/train.py"

The model is a ridge regression of the return over the next `horizon_bars` bars on the features of one bar. The policy is
long while the forecast pays for the costs: it enters above them and leaves below them. The same job gives the same bytes.

Hyperparameters, from the table [pack]: horizon_bars (24), l2 (10.0). docs/jobs.md describes the files and the lines.
"""

import array
import json
import math
import os
import struct
import sys

PROTOCOL = 1
CLIP = 5.0
PROBES = 8


def say(type_of_line, /, **fields):
    """Says one line of the protocol. NaN is no JSON, so it is refused here rather than lost on the other side."""
    print(json.dumps({"type": type_of_line, **fields}, allow_nan=False), flush=True)


class BadInput(Exception):
    """Something that the one who called has to mend."""


def read_job(path):
    with open(path, encoding="utf-8") as file:
        job = json.load(file)
    if job["protocol"] != PROTOCOL:
        raise BadInput(f"{path}: protocol version {job['protocol']}, this trainer speaks {PROTOCOL}")
    with open(os.path.join(job["dataset"], "dataset.json"), encoding="utf-8") as file:
        return job, json.load(file)


def read_closes(folder, shape):
    """Open time in milliseconds and close of every bar."""
    with open(os.path.join(folder, shape["file"]), encoding="utf-8") as file:
        header = file.readline().rstrip("\n").split(",")
        time, close = header.index("open_time_ms"), header.index("close")
        rows = [line.rstrip("\n").split(",") for line in file]
    return [int(row[time]) for row in rows], [float(row[close]) for row in rows]


def read_features(folder, shape):
    """Feature rows; the first one belongs to the bar `first_row`."""
    numbers = array.array("f")
    with open(os.path.join(folder, shape["file"]), "rb") as file:
        numbers.frombytes(file.read())
    if sys.byteorder == "big":
        numbers.byteswap()
    width = len(shape["columns"])
    return [numbers[start : start + width] for start in range(0, len(numbers), width)]


def timeframe_ms(text):
    return int(text[:-1]) * {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}[text[-1]]


def epoch_ms(text):
    """Milliseconds of a time such as 2024-01-01T00:00:00.000Z."""
    import datetime

    time = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (time - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(milliseconds=1)


def f32(number):
    """The nearest number of 32 bits."""
    return struct.unpack("<f", struct.pack("<f", number))[0]


def fit_normaliser(rows, kinds):
    """Mean and deviation of each column; columns that are left alone have 0 and 1."""
    means, deviations = [], []
    for column, kind in enumerate(kinds):
        values = [row[column] for row in rows]
        mean = math.fsum(values) / len(values)
        deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
        is_left = kind == "none" or not deviation > 1e-12
        means.append(0.0 if is_left else f32(mean))
        deviations.append(1.0 if is_left else f32(deviation))
    return means, deviations


def solve(matrix, right):
    """The solution of a symmetric, positive system, by elimination with pivots."""
    size = len(right)
    rows = [list(row) + [value] for row, value in zip(matrix, right)]
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(rows[row][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for row in range(column + 1, size):
            factor = rows[row][column] / rows[column][column]
            for at in range(column, size + 1):
                rows[row][at] -= factor * rows[column][at]
    solution = [0.0] * size
    for row in reversed(range(size)):
        known = sum(rows[row][at] * solution[at] for at in range(row + 1, size))
        solution[row] = (rows[row][size] - known) / rows[row][row]
    return solution


def ridge(samples, labels, l2):
    """Weights and intercept of the regression; the intercept is not shrunk."""
    width = len(samples[0]) + 1
    matrix = [[0.0] * width for _ in range(width)]
    right = [0.0] * width
    for done, (sample, label) in enumerate(zip(samples, labels)):
        inputs = [*sample, 1.0]
        for i, left in enumerate(inputs):
            row = matrix[i]
            for j in range(i + 1):
                row[j] += left * inputs[j]
            right[i] += left * label
        if done % 500 == 0:
            say("progress", done=done, total=len(samples), message="summing up")
    for i in range(width):
        for j in range(i):
            matrix[j][i] = matrix[i][j]
        matrix[i][i] += l2 if i < width - 1 else 0.0
    weights = solve(matrix, right)
    return weights[:-1], weights[-1]


def fma32(a, b, c):
    """a * b + c of 32-bit numbers, rounded once, as the product's kernels compute it."""
    product = a * b  # exact: two 24-bit numbers in 53 bits
    total = product + c
    split = total - product
    error = (product - (total - split)) + (c - split)
    # Rounding twice, to 53 bits and then to 24, is rounding once if the first one rounds to odd.
    if error != 0.0 and struct.unpack("<Q", struct.pack("<d", total))[0] % 2 == 0:
        total = math.nextafter(total, math.inf if error > 0.0 else -math.inf)
    return f32(total)


def forward(weight, bias, observation):
    """The outputs of the linear network: products in the order of the inputs, on top of the bias."""
    outputs = []
    for row, start in zip(weight, bias):
        for factor, number in zip(row, observation):
            start = fma32(number, factor, start)
        outputs.append(start)
    return outputs


def write_bundle(folder, spec, tensors):
    """Writes policy.safetensors: the length of the header, the header in JSON, the numbers. Whole or not at all."""
    header, data = {"__metadata__": {"walkforward": json.dumps(spec, sort_keys=True, separators=(",", ":"))}}, b""
    for name in sorted(tensors):
        shape, numbers = tensors[name]
        encoded = struct.pack(f"<{len(numbers)}f", *numbers)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(encoded)]}
        data += encoded
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = os.path.join(folder, "policy.safetensors")
    with open(path + ".tmp", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".tmp", path)


def policy(job, dataset, normaliser, weights, intercept, cost):
    """Specification and tensors: output 0 is staying flat and worth nothing, output 1 is being long."""
    width = len(weights)
    inputs = width + 2  # the features of a bar, the position, its unrealised return
    # Flat, the forecast has to exceed the cost of a fill; long, it has to fall below minus that.
    long = [*weights, 2.0 * cost, 0.0]
    weight = [[0.0] * inputs, [f32(number) for number in long]]
    bias = [0.0, f32(intercept - cost)]
    observations = [
        [((row * 7 + column * 13) % 41 - 20) / 8.0 for column in range(inputs)] for row in range(PROBES)
    ]
    spec = {
        "schema": 1,
        "symbol": dataset["symbol"],
        "timeframe": dataset["timeframe"],
        "network": {"kind": "linear", "inputs": inputs, "outputs": 2},
        "features": dataset["feature_spec"],
        "normaliser": {"mean": normaliser[0], "std": normaliser[1], "clip": CLIP},
        "lookback": 1,
        "actions": "long_flat",
        "used_until": job["training_end"],
        "probe": {
            "observations": observations,
            "outputs": [forward(weight, bias, observation) for observation in observations],
            "tolerance": 0.0,
        },
    }
    if dataset["calendar"] != "continuous":
        spec["sessions"] = True
    tensors = {
        "linear.weight": ([2, inputs], [number for row in weight for number in row]),
        "linear.bias": ([2], bias),
    }
    return spec, tensors


def train(job_path):
    job, dataset = read_job(job_path)
    pack = {"horizon_bars": 24, "l2": 10.0}
    unknown = sorted(set(job["pack"]) - set(pack))
    if unknown:
        raise BadInput(f"[pack]: unknown hyperparameters {', '.join(unknown)}: expected horizon_bars, l2")
    pack.update(job["pack"])
    horizon, l2 = int(pack["horizon_bars"]), float(pack["l2"])
    if horizon < 1 or not 0.0 < l2 < math.inf:
        raise BadInput("[pack]: expected horizon_bars of at least 1 and l2 above 0")
    times, closes = read_closes(job["dataset"], dataset["bars"])
    rows = read_features(job["dataset"], dataset["features"])
    first = max(dataset["features"]["first_row"], dataset["history_bars"])
    # Nothing is used of a bar that closes after the end of the training.
    end, length = epoch_ms(job["training_end"]), timeframe_ms(dataset["timeframe"])
    used = sum(1 for time in times if time + length <= end)
    bars = range(first, used - horizon)
    if len(bars) < 10 * len(dataset["features"]["columns"]):
        raise BadInput(f"{len(bars)} bars with features and a label: too few to fit them")
    raw = [rows[bar - dataset["features"]["first_row"]] for bar in bars]
    means, deviations = fit_normaliser(raw, dataset["features"]["normalise"])
    samples = [
        [max(-CLIP, min(CLIP, (x - mean) / deviation)) for x, mean, deviation in zip(row, means, deviations)]
        for row in raw
    ]
    labels = [math.log(closes[bar + horizon] / closes[bar]) for bar in bars]
    weights, intercept = ridge(samples, labels, l2)
    session = job["trainer"]["session"]
    cost = (session["fee_bps"] + session["slippage_bps"]) / 10_000.0
    spec, tensors = policy(job, dataset, (means, deviations), weights, intercept, cost)
    forecasts = [intercept + sum(w * x for w, x in zip(weights, sample)) for sample in samples]
    errors = math.fsum((forecast - label) ** 2 for forecast, label in zip(forecasts, labels))
    mean = math.fsum(labels) / len(labels)
    spread = math.fsum((label - mean) ** 2 for label in labels)
    metrics = {
        "r_squared": 1.0 - errors / spread if spread > 0.0 else None,
        "share_above_cost": sum(forecast > cost for forecast in forecasts) / len(forecasts),
    }
    say("metrics", iteration=1, metrics=metrics)
    write_bundle(job["out_dir"], spec, tensors)
    say("progress", done=len(samples), total=len(samples), message="written")
    say(
        "outcome",
        attempt=job["attempt"],
        trainer="python_ridge",
        used_until=job["training_end"],
        iterations=1,
        environment_steps=len(samples),
        metrics=metrics,
        cold_start="every model is fitted afresh" if job["parent"] else None,
    )


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: train.py JOB_FILE")
    try:
        train(sys.argv[1])
    except BadInput as problem:
        say("error", kind="bad_input", message=str(problem))
        sys.exit(1)


if __name__ == "__main__":
    main()
