"""Runs the bench bar_to_action, and onnxruntime on the same network alone, interleaved.

    python benches/bar_to_action_peers.py --python VENV/bin/python --pairs 3

VENV needs onnxruntime, onnx and numpy. Every run is pinned to the last core. The peer's figure is its inference of one
observation of 66 numbers through a 66-64-64-3 network with one thread, from a numpy array to a numpy array, without
features, limits or ledger; ours is all of them. This script itself needs the standard library alone: the peer runs as
`--peer` under the other interpreter.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
# Seconds after which a run is given up: the first one compiles.
RUN_LIMIT_S = 1_800
WARM_UP, RUNS = 2_000, 20_000
SIZES = [66, 64, 64, 3]


def network():
    """The same shapes and weights as the bench's, as an ONNX graph."""
    import numpy
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, value = [], [], "observation"
    for layer, (inputs, outputs) in enumerate(zip(SIZES, SIZES[1:])):
        numbers = ((numpy.arange(inputs * outputs) * 37 % 101) - 50.0) / 60.0
        weights.append(numpy_helper.from_array(numbers.reshape(outputs, inputs).astype(numpy.float32), f"w{layer}"))
        weights.append(numpy_helper.from_array(numpy.zeros(outputs, numpy.float32), f"b{layer}"))
        nodes.append(helper.make_node("Gemm", [value, f"w{layer}", f"b{layer}"], [f"g{layer}"], transB=1))
        value = f"g{layer}"
        if layer < len(SIZES) - 2:
            nodes.append(helper.make_node("Tanh", [value], [f"t{layer}"]))
            value = f"t{layer}"
    tensor = lambda name, width: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, width])
    graph = helper.make_graph(nodes, "policy", [tensor("observation", 66)], [tensor(value, 3)], weights)
    opset = [helper.make_opsetid("", 13)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def peer():
    """Microseconds of one inference."""
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(network(), options, providers=["CPUExecutionProvider"])
    rows = numpy.random.default_rng(1).normal(size=(256, 1, 66)).astype(numpy.float32)
    took = []
    for index in range(WARM_UP + RUNS):
        feed = {"observation": rows[index % len(rows)]}
        start = time.perf_counter_ns()
        session.run(None, feed)
        took.append(time.perf_counter_ns() - start)
    took = sorted(took[WARM_UP:])
    at = lambda share: took[round((len(took) - 1) * share)] / 1_000
    print(json.dumps({"peer": f"onnxruntime {onnxruntime.__version__}", "p50_us": at(0.5), "p99_us": at(0.99)}))


def pinned():
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def last_line(command):
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, timeout=RUN_LIMIT_S, check=True, preexec_fn=pinned, text=True
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--peer", action="store_true")
    asked = parser.parse_args()
    if asked.peer:
        peer()
        return
    subprocess.run(["cargo", "bench", "--bench", "bar_to_action", "--no-run"], cwd=ROOT, timeout=RUN_LIMIT_S, check=True)
    ratios = []
    for _ in range(asked.pairs):
        ours = last_line(["cargo", "bench", "-q", "--bench", "bar_to_action"])
        theirs = last_line([asked.python, os.path.abspath(__file__), "--peer"])
        ratios.append(theirs["p50_us"] / ours["p50_us"])
        print(json.dumps({"ours": ours, "theirs": theirs}))
    print(json.dumps({"ratio_p50": statistics.median(ratios), "pairs": asked.pairs}))


if __name__ == "__main__":
    main()
