#!/usr/bin/env python3
"""Golden values of optimizer steps, float64: python3 make_optimizers.py > optimizers.json   (numpy 1.24)

Weights and gradients are functions of an element's number i in its parameter: w = sin(i + 1), g at step t = cos(0.3 i + t).
Written from the papers and from torch's and transformers' documentation; shares nothing with the program. Vectors get no decay."""
import json
import numpy as np

STEPS, LR = 3, 0.05
SHAPES = [(10, 8), (8, 8), (6, 8), (8, 6), (8,), (6,)]


def sgd(w, g, s, t, decay, momentum=0.0, nesterov=False):
    g = g + decay * w
    if momentum:
        s["b"] = momentum * s.get("b", 0) + g
        g = g + momentum * s["b"] if nesterov else s["b"]
    return w - LR * g


def adam(w, g, s, t, decay, decoupled):
    if decoupled:
        w = w * (1 - LR * decay)
    else:
        g = g + decay * w
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g * g
    return w - LR * (s["m"] / (1 - 0.9 ** t)) / (np.sqrt(s["v"] / (1 - 0.999 ** t)) + 1e-8)


def adafactor(w, g, s, t, decay):
    beta2 = 1 - t ** -0.8
    square = g * g + 1e-30
    if g.ndim == 2:
        s["r"] = beta2 * s.get("r", 0) + (1 - beta2) * square.mean(1)
        s["c"] = beta2 * s.get("c", 0) + (1 - beta2) * square.mean(0)
        v = np.outer(s["r"], s["c"]) / s["r"].mean()
    else:
        v = s["v"] = beta2 * s.get("v", 0) + (1 - beta2) * square
    u = g / np.sqrt(v)
    u = u / max(1.0, np.sqrt(np.mean(u * u)) / 1.0)
    return w - LR * decay * w - LR * u


RULES = {
    "sgd": lambda *a: sgd(*a),
    "sgd momentum": lambda *a: sgd(*a, momentum=0.9),
    "sgd nesterov": lambda *a: sgd(*a, momentum=0.9, nesterov=True),
    "adam": lambda *a: adam(*a, decoupled=False),
    "adamw": lambda *a: adam(*a, decoupled=True),
    "adafactor": lambda *a: adafactor(*a),
}

out = {}
for name, rule in RULES.items():
    for shape in SHAPES:
        i = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
        w, state = np.sin(i + 1), {}
        for t in range(1, STEPS + 1):
            w = rule(w, np.cos(0.3 * i + t), state, t, 0.1 if len(shape) == 2 else 0.0)
        out.setdefault(name, {})["x".join(map(str, shape))] = [float(x) for x in w.ravel()]
print(json.dumps(out))
