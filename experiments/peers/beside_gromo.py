"""GroMo 0.1.0 beside burgeon on the embedded digits: the MLP of the study `methods`.

Start, target, epochs before and after growth, batch, learning rate and schedule are those of our runs, which this script
makes first (`xtask reproduce --only methods`) and reads; see README.md beside it.
"""

import argparse
import csv
import gzip
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from gromo.containers.growing_mlp import GrowingMLP
from gromo.utils.training_utils import compute_statistics
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

ASSETS = pathlib.Path(__file__).resolve().parents[2] / "crates/data/assets"
# As in experiments/src/studies/methods: batch, AdamW's decay, share held, captured samples, start and end widths.
BATCH, DECAY, HELD, CAPTURED, START, TARGET = 128, 0.1, 0.1, 1024, 16, 32
# The share of the cost until which the rate is constant.
STABLE = 0.6
STEPS = [2.0**-k for k in range(7)]
# What GroMo's documentation gives for each paper.
WAYS = {
    "TINY": dict(compute_delta=False),
    "GradMax": dict(
        compute_delta=False, use_covariance=False, alpha_zero=True, use_projection=False, ignore_singular_values=True
    ),
}
OURS = {"TINY": "tiny", "GradMax": "gradmax", "random new neurons": "new", "from scratch": "scratch"}


def digits(name):
    with gzip.open(ASSETS / f"optdigits-{name}.csv.gz", "rt") as file:
        rows = torch.tensor([[int(value) for value in row] for row in csv.reader(file)])
    return rows[:, :64].float() / 16, rows[:, 64]


def macs(width):
    return 64 * width + width * width + width * 10


def rate_at(rate, spent):
    if spent < STABLE:
        return rate
    return 0.5 * rate * (1 + math.cos(math.pi * (spent - STABLE) / (1 - STABLE)))


@torch.no_grad()
def judge(model, x, y, forward=None):
    model.eval()
    output = (forward or model)(x)
    loss = nn.functional.cross_entropy(output, y).item()
    return (output.argmax(1) == y).float().mean().item(), loss


def epoch(model, optimizer, data, generator):
    model.train()
    for x, y in DataLoader(data, batch_size=BATCH, shuffle=True, generator=generator):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


def grow(model, settings, data):
    """Doubles the hidden layers, one after the other: statistics, update, line search, change."""
    x, y = data.tensors
    for index in range(2):
        model.set_growing_layers(index=index)
        compute_statistics(model, DataLoader(data, batch_size=BATCH), nn.CrossEntropyLoss(reduction="sum"))
        model.compute_optimal_updates(maximum_added_neurons=TARGET - START, **settings)
        model.reset_computation()
        model.select_update(layer_index=0)
        layer = model.currently_updated_layer
        best = (math.inf, STEPS[0])
        for step in STEPS:
            model.set_scaling_factor(step)
            layer.previous_module.output_extension_scaling = step
            best = min(best, (judge(model, x, y, model.extended_forward)[1], step))
        model.set_scaling_factor(best[1])
        layer.previous_module.output_extension_scaling = best[1]
        model.apply_change()


def run(way, seed, before, after, rate):
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    x, y = digits("train")
    order = torch.randperm(len(x), generator=generator)[int(HELD * len(x)) :]
    data = TensorDataset(x[order], y[order])
    model = GrowingMLP(64, 10, START, 2, activation=nn.SiLU(), device=torch.device("cpu"))
    share = macs(START) / macs(TARGET)
    total = before * share + after
    spent, growing = 0.0, 0.0
    began = time.perf_counter()
    # GroMo leaves the optimizer to its user: a new one begins after growth.
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=DECAY)
    for number in range(before + after):
        if number == before:
            some = torch.randperm(len(order), generator=generator)[:CAPTURED]
            grew = time.perf_counter()
            grow(model, WAYS[way], TensorDataset(*(part[some] for part in data.tensors)))
            growing = time.perf_counter() - grew
            optimizer = torch.optim.AdamW(model.parameters(), weight_decay=DECAY)
        for group in optimizer.param_groups:
            group["lr"] = rate_at(rate, spent / total)
        epoch(model, optimizer, data, generator)
        spent += share if number < before else 1.0
    seconds = time.perf_counter() - began
    accuracy, loss = judge(model, *digits("test"))
    widths = "-".join(str(layer.weight.shape[0]) for layer in list(model.layers)[:-1])
    return dict(accuracy=accuracy, loss=loss, growing=growing, seconds=seconds, widths=widths)


def ours(results, name):
    """Our runs of a way, by seed."""
    found = {}
    for path in (results / "methods/units").glob(f"mlp.{name}.*.json"):
        found[int(path.stem.rsplit("-", 1)[1])] = json.loads(path.read_text())["result"]
    return [found[seed] for seed in sorted(found)]


def row(label, runs):
    def mean(key, digits, scale=1.0):
        values = [scale * run[key] for run in runs]
        error = f" ± {statistics.stdev(values) / math.sqrt(len(values)):.{digits}f}" if len(values) > 1 else ""
        return f"{statistics.mean(values):.{digits}f}{error}"

    widths = ", ".join(sorted({run["widths"] for run in runs}))
    cells = [label, widths, mean("accuracy", 2, 100), mean("loss", 4), mean("growing", 3), mean("seconds", 1)]
    print("| " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True, help="the program xtask, built in release mode")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        results = pathlib.Path(folder) / "results"
        command = [options.ours, "reproduce", "--only", "methods", "--seeds", str(options.seeds)]
        command += ["--workers", "1", "--out", str(results)]
        environment = os.environ | {"RAYON_NUM_THREADS": "1"}
        subprocess.run(command, check=True, stdout=sys.stderr, env=environment)
        own = {label: ours(results, name) for label, name in OURS.items()}
    print("| way | widths | test accuracy % | test loss | seconds of growing | seconds |")
    print("|---|---|---|---|---|---|")
    for label, runs in own.items():
        keys = dict(accuracy="test_accuracy", loss="test_loss", growing="growing_seconds", seconds="seconds")
        found = [{key: run[name] for key, name in keys.items()} for run in runs]
        for own_run, kept in zip(found, runs):
            own_run["widths"] = "-".join(map(str, kept["widths"]))
        if found:
            row(f"burgeon, {label}", found)
    for label in WAYS:
        # A way that ours does not have yet runs as long as random new neurons do.
        model = own[label] or own["random new neurons"]
        runs = []
        for seed, run_of_ours in enumerate(model):
            before = run_of_ours["grown_after"][0]
            after = run_of_ours["epochs"] - before
            runs.append(run(label, seed, before, after, run_of_ours["rate"]))
        row(f"GroMo 0.1.0, {label}", runs)


if __name__ == "__main__":
    main()
