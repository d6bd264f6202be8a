"""Whether exported networks answer as `burgeon predict` does.

`exported.py onnx NET.onnx DATA PREDICTIONS` or `exported.py pytorch NET.py DATA PREDICTIONS`: DATA is
a CSV file whose last column is the class, or an IDX file of images; PREDICTIONS are the JSON of `burgeon predict`. Prints the largest difference between probabilities.
"""

import csv
import importlib.util
import json
import sys
from pathlib import Path

import numpy


def inputs(description, data):
    if "columns" in description["inputs"]:
        rows = list(csv.DictReader(open(data)))
        numbers = [column["number"] for column in description["inputs"]["columns"]]
        columns = [
            [(float(row[one["column"]]) - one["mean"]) / one["deviation"] for row in rows]
            for one in numbers
        ]
        return numpy.array(columns, dtype=numpy.float32).T
    images = description["inputs"]["images"]
    mean = numpy.array(images["mean"]).reshape(1, -1, 1, 1)
    deviation = numpy.array(images["deviation"]).reshape(1, -1, 1, 1)
    pixels = numpy.fromfile(data, dtype=numpy.uint8)[16:].reshape(-1, *images["shape"]) / 255
    return ((pixels - mean) / deviation).astype(numpy.float32)


def answers(kind, path, values):
    if kind == "onnx":
        import onnx
        import onnxruntime

        onnx.checker.check_model(onnx.load(path), full_check=True)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return session.run(None, {session.get_inputs()[0].name: values})[0]
    import torch

    specification = importlib.util.spec_from_file_location("exported", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    with torch.no_grad():
        return module.load()(torch.from_numpy(values)).numpy()


kind, path, data, predictions = sys.argv[1:]
description = json.loads(Path(path).with_suffix(".json").read_text())
logits = answers(kind, path, inputs(description, data)).astype(numpy.float64)
exponentials = numpy.exp(logits - logits.max(1, keepdims=True))
probabilities = exponentials / exponentials.sum(1, keepdims=True)
expected = [json.loads(line) for line in open(predictions)]
assert len(expected) == len(probabilities), (len(expected), len(probabilities))
names = description["target"]["classes"]["names"]
worst = 0.0
for row, one in zip(probabilities, expected):
    worst = max(worst, abs(row[names.index(one["class"])] - one["probability"]))
print(worst)
