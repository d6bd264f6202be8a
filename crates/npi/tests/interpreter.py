"""Runs quicksort by a weights file, in NumPy: an interpreter of its own.

Usage: interpreter.py WEIGHTS ALPHABET DIGIT...
Prints a line for each decision: depth, call, observation, decision.
"""

import json
import struct
import sys

import numpy as np


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32", name
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(data[begin:end], "<f4").reshape(entry["shape"])
    return tensors


weights = read_safetensors(sys.argv[1])
alphabet = json.load(open(sys.argv[2]))
PROGRAMS, ARGUMENTS, FEATURES = (alphabet[key] for key in ("programs", "arguments", "features"))
COMPOSITE = set(alphabet["composite"])


def linear(name, x):
    y = x @ weights[name + ".weight"]
    return y + weights[name + ".bias"] if name + ".bias" in weights else y


def sigmoid(x):
    return (1 + np.tanh(x / 2)) / 2


def one_hot(index, size):
    return np.eye(size, dtype=np.float32)[index]


def lstm(name, x, state):
    h, c = state
    i, f, g, o = np.split(linear(name + ".input", x) + linear(name + ".hidden", h), 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def begin(name):
    width = weights[name + ".hidden.weight"].shape[0]
    return np.zeros(width, np.float32), np.zeros(width, np.float32)


def step(call, observation, state):
    program, *arguments = call
    rest = [one_hot(a, len(values)) for a, values in zip(arguments, ARGUMENTS)]
    rest += [one_hot(value, size) for value, size in zip(observation, FEATURES)]
    s = np.maximum(linear("encoder1", np.concatenate(rest)), 0)
    s = np.maximum(linear("encoder2", s), 0)
    p = linear("memory", one_hot(program, len(PROGRAMS)))
    x = linear("join2", np.maximum(linear("join1", np.concatenate([s, p])), 0))
    lower = lstm("lower", x, state[0])
    upper = lstm("upper", lower[0], state[1])
    h = upper[0]
    if linear("end", h)[0] >= 0:
        return None, (lower, upper)
    heads = [linear("keys", linear("query", h))]
    heads += [linear(f"argument{slot}", h) for slot in (1, 2, 3)]
    return tuple(int(np.argmax(head)) for head in heads), (lower, upper)


class Quicksort:
    def __init__(self, digits):
        self.a = dict(enumerate(digits, 1))
        n = len(digits)
        self.pivot, self.lo, self.hi, self.j = 1, 1, n, None
        self.stacks = {"Lo": {1: 1}, "Hi": {1: n}}
        self.p = {"Lo": 2, "Hi": 2}

    def top(self, stack):
        return self.stacks[stack].get(self.p[stack] - 1)

    def observe(self):
        lo, hi = self.top("Lo"), self.top("Hi")
        below = self.j in self.a and self.hi in self.a and self.a[self.j] <= self.a[self.hi]
        several = lo is not None and hi is not None and lo < hi
        return [int(below), int(self.j == self.hi), int(several), int(self.p["Lo"] == 1)]

    def act(self, name, first, second):
        if name == "SET_PIVOT_LO":
            self.pivot = self.lo
        elif name == "SET_J_LO":
            self.j = self.lo
        elif name == "SET_J_NULL":
            self.j = None
        elif name == "SWAP":
            other = self.hi if second == "phi" else self.j
            self.a[self.pivot], self.a[other] = self.a[other], self.a[self.pivot]
        elif name == "MOVE":
            by = 1 if second == "UP" else -1
            if first == "ppivot":
                self.pivot += by
            elif first == "pj":
                self.j += by
            else:
                self.p[first.removeprefix("pstack")] += by
        elif second == "HI_PEEK":
            self.hi = self.top("Hi")
        elif second == "LO_PEEK":
            self.lo = self.top("Lo")
        else:
            stack = first.removeprefix("STACK_").capitalize()
            values = {"plo": self.lo, "phi": self.hi, "RESET": 0}
            values |= {"ppivot-1": self.pivot - 1, "ppivot+1": self.pivot + 1}
            self.stacks[stack][self.p[stack]] = values[second]


def text(call):
    if call is None:
        return "return"
    named = [values[a] for a, values in zip(call[1:], ARGUMENTS) if a != 0]
    return f"{PROGRAMS[call[0]]}({', '.join(named)})"


def main():
    machine = Quicksort([int(digit) for digit in sys.argv[3:]])
    state = begin("lower"), begin("upper")
    stack = [((0, 0, 0, 0), state)]
    while stack:
        call, now = stack[-1]
        observation = machine.observe()
        decision, now = step(call, observation, now)
        stack[-1] = call, now
        print(len(stack) - 1, text(call), *observation, text(decision))
        if decision is None:
            stack.pop()
        elif PROGRAMS[decision[0]] in COMPOSITE:
            stack.append((decision, state))
        else:
            names = [values[a] for a, values in zip(decision[1:], ARGUMENTS)]
            machine.act(PROGRAMS[decision[0]], *names[:2])
    print(*machine.a.values())


main()
