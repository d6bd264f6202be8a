"""Six tables of UCI's repository: `burgeon grow` beside scikit-learn, and beside networks of fixed width.

Each way learns from the same rows and is judged on the same test rows, one run at a time on one thread; what it takes is
told in seconds of the processor. Runs are kept in a file, one line of JSON each, so that a stopped script goes on; see README.md beside it.
"""

import argparse
import collections
import csv
import json
import math
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile

THREADS = {"RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
os.environ.update(THREADS)

import numpy  # noqa: E402
from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

FILES = {
    "letter": ["letter.dat"],
    "penbased": ["penbased.dat"],
    "satimage": ["sat.trn.txt", "sat.tst.txt"],
    "segment": ["segment.dat"],
    "spambase": ["spambase.dat"],
    "phoneme": ["phoneme.dat"],
}
# Parameters that growing may fill, and those of the networks of fixed width, each trained for the grown run's cost.
BUDGET, SWEEP = 20_000, [5_000, 10_000, 20_000]
# Steps of the grown run's optimizer: a third of the default, so that the table takes minutes.
STEPS, BATCH, HELD = 4_000, 64, 0.2
TEST = 0.25
WAYS = ["burgeon grow", *(f"fixed width, {budget}" for budget in SWEEP), "MLPClassifier", "HistGradientBoosting"]


def rows(path):
    lines = [line.replace(",", " ").split() for line in path.read_text().splitlines() if line.strip()]
    return numpy.array([[float(cell) for cell in line[:-1]] for line in lines]), numpy.array([line[-1] for line in lines])


def split(folder, name, seed):
    """The official split of satimage; a quarter of each class of the others, by the seed."""
    parts = [rows(folder / name / file) for file in FILES[name]]
    if len(parts) == 2:
        return parts
    x, y = parts[0]
    x, tx, y, ty = train_test_split(x, y, test_size=TEST, random_state=seed, stratify=y)
    return [(x, y), (tx, ty)]


def write(path, x, y):
    with open(path, "w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow([f"x{column}" for column in range(x.shape[1])] + ["class"])
        lines.writerows([*map(repr, map(float, row)), label] for row, label in zip(x, y))


def spent():
    """Seconds of the processor that this program and those that it ran have used, whatever else the machine does."""
    uses = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)


def burgeon(program, folder, seed, budget, *more):
    out = folder / f"run-{budget}-{len(more)}"
    reading = ["--category", "class"]
    grow = [program, "grow", folder / "train.csv", "--target", "class", "--task", "classification"]
    grow += ["--budget", f"{budget}-params", "--seed", str(seed), "--out", out, *reading, *more]
    began = spent()
    subprocess.run(grow, check=True, capture_output=True)
    seconds = spent() - began
    evaluate = [program, "evaluate", out, folder / "test.csv", "--json", *reading]
    score = json.loads(subprocess.run(evaluate, check=True, capture_output=True).stdout)["classes"]
    summary = json.loads((out / "summary.json").read_text())
    best = next(size for size in summary["sizes"] if size["parameters"] == summary["best"])
    return dict(
        accuracy=score["accuracy"],
        parameters=best["parameters"],
        seconds=seconds,
        macs=summary["training_macs"],
        widths="-".join(str(width) for _, width in best["widths"]),
    )


def learned(model, train, test, parameters):
    began = spent()
    model.fit(*train)
    seconds = spent() - began
    return dict(accuracy=float(model.score(*test)), parameters=parameters(model), seconds=seconds)


def weights(pipeline):
    network = pipeline[-1]
    return int(sum(part.size for part in network.coefs_ + network.intercepts_))


def ways(program, train, test, seed, known):
    """Each way's name with what came of it, one after the other, but for those that are known."""
    network = lambda: make_pipeline(StandardScaler(), MLPClassifier(random_state=seed))  # noqa: E731
    trees = lambda: HistGradientBoostingClassifier(random_state=seed)  # noqa: E731
    for way, model, parameters in [("MLPClassifier", network, weights), ("HistGradientBoosting", trees, lambda _: None)]:
        if way not in known:
            yield way, learned(model(), train, test, parameters)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write(folder / "train.csv", *train)
        write(folder / "test.csv", *test)
        epochs = round(STEPS / math.ceil((1 - HELD) * len(train[0]) / BATCH))
        grown = known.get("burgeon grow")
        if grown is None:
            grown = burgeon(program, folder, seed, BUDGET, "--epochs", str(epochs))
            yield "burgeon grow", grown
        for budget in SWEEP:
            # As many epochs as the cost of the grown run allows.
            more = ["--growths", "0", "--training-macs", str(grown["macs"]), "--epochs", "100000"]
            if f"fixed width, {budget}" not in known:
                yield f"fixed width, {budget}", burgeon(program, folder, seed, budget, *more)


def mean(values, digits, scale=1.0):
    values = [scale * value for value in values]
    error = f" ± {statistics.stdev(values) / math.sqrt(len(values)):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{error}"


def table(runs):
    print("| set | way | hidden | parameters | test accuracy % | CPU seconds |")
    print("|---|---|---|---|---|---|")
    groups = collections.OrderedDict()
    for run in runs:
        groups.setdefault((run["set"], run["way"]), []).append(run)
    for (name, way), own in sorted(groups.items(), key=lambda group: (list(FILES).index(group[0][0]), WAYS.index(group[0][1]))):
        hidden = ", ".join(sorted({run["widths"] for run in own if "widths" in run})) or "–"
        parameters = [run["parameters"] for run in own]
        size = "–" if None in parameters else f"{statistics.mean(parameters):.0f}"
        accuracy = mean([run["accuracy"] for run in own], 2, 100)
        seconds = mean([run["seconds"] for run in own], 1)
        print(f"| {name} | {way} | {hidden} | {size} | {accuracy} | {seconds} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--burgeon", required=True, help="the program burgeon, built in release mode")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("data"), help="where the sets were fetched to")
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("uci.jsonl"), help="where runs are kept")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="*", default=list(FILES))
    options = parser.parse_args()
    program = str(pathlib.Path(options.burgeon).resolve())
    kept = [json.loads(line) for line in options.runs.read_text().splitlines()] if options.runs.exists() else []
    for name in options.sets:
        for seed in range(options.seeds):
            known = {run["way"]: run for run in kept if (run["set"], run["seed"]) == (name, seed)}
            train, test = split(options.data, name, seed)
            for way, run in ways(program, train, test, seed, known):
                kept.append(dict(set=name, seed=seed, way=way, **run))
                with open(options.runs, "a") as file:
                    file.write(json.dumps(kept[-1]) + "\n")
                print(f"{name}, seed {seed}: {way}", file=sys.stderr)
    table(kept)


if __name__ == "__main__":
    main()
