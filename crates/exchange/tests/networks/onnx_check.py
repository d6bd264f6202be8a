"""Checks every network of a folder: `NAME.onnx`, its inputs and what Burgeon answers.

`NAME.json` lists `inputs` and `answer`, each with `file`, `type` and `shape`. Prints a line for each
network: its name and the largest difference between onnxruntime's answer and Burgeon's.
"""

import json
import sys
from pathlib import Path

import numpy
import onnx
import onnxruntime


def array(folder, entry):
    values = numpy.fromfile(folder / entry["file"], dtype=entry["type"])
    return values.reshape(entry["shape"])


folder = Path(sys.argv[1])
for path in sorted(folder.glob("*.onnx")):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    entry = json.loads(path.with_suffix(".json").read_text())
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    inputs = [array(folder, one) for one in entry["inputs"]]
    names = [one.name for one in session.get_inputs()]
    expected = array(folder, entry["answer"])
    # All samples at once, and one alone: the number of samples is free.
    answers = session.run(None, dict(zip(names, inputs)))[0]
    assert answers.shape == expected.shape, (path.stem, answers.shape, expected.shape)
    alone = session.run(None, {name: one[:1] for name, one in zip(names, inputs)})[0]
    apart = max(abs(answers - expected).max(), abs(alone - expected[:1]).max())
    print(path.stem, apart)
