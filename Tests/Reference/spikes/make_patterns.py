"""Golden figures for PatternTests from numpy: patterns of seeded activations in three codes, their
overlaps, and the false matches of their unions. Written from the definitions in docs/report.md.

Writes patterns.json to Tests/Fixtures/spikes.
"""

import json
import pathlib

import numpy as np

out = pathlib.Path(__file__).parents[2] / "Fixtures" / "spikes" / "patterns.json"
rng = np.random.default_rng(20250905)
NEURONS, ROWS, K, SHARE = 96, 60, 3.0, 0.05

tokens = rng.integers(0, 45, ROWS)
means = rng.normal(size=(45, NEURONS)) * rng.random(NEURONS) ** 2
x = np.round(means[tokens] + 0.4 * rng.normal(size=(ROWS, NEURONS)), 3)
x[7, 3] = -900.0  # a massive activation
x[9, 5:20] = 0.25  # ties
x32 = x.astype(np.float32)

threshold = (np.abs(x32.astype(np.float64)).mean(1).astype(np.float32) / np.float32(K)).clip(
    np.float32(1e-5), np.float32(1e4))
counts = np.rint(x32 / threshold[:, None]).astype(np.int64)


def winners(row):
    wanted = max(1, int(np.rint(SHARE * NEURONS)))
    bits = np.zeros(NEURONS, bool)
    bits[np.argsort(-np.abs(row), kind="stable")[:wanted]] = True
    return bits


def cells(row):
    magnitude = np.minimum(np.abs(row), 7)
    return ((magnitude[:, None] >> np.arange(3)) & 1).astype(bool).ravel()


codes = {
    "winners": np.array([winners(r) for r in x32]),
    "spiking": counts != 0,
    "cells": np.array([cells(r) for r in counts]),
}


def similarity(a, b):
    return (a & b).sum() / min(a.sum(), b.sum())


SIZES = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200]


def unions(patterns):
    _, first = np.unique(tokens, return_index=True)
    distinct = patterns[np.sort(first)]
    n, size = distinct.shape
    runs = min(16, n)
    active = distinct.sum(1).mean()
    points = []
    for m in [s for s in SIZES if 2 * s <= n]:
        found = 0
        for run in range(runs):
            order = np.roll(np.arange(n), -(run * n // runs))
            union = distinct[order[:m]].any(0)
            found += sum(not (distinct[i] & ~union).any() for i in order[m:])
        expected = (1 - (1 - active / size) ** m) ** active
        points.append([m, found / (runs * (n - m)), expected])
    return n, points


result = {"k": K, "share": SHARE, "tokens": tokens.tolist(), "activations": x.tolist(), "codes": {}}
for name, patterns in codes.items():
    different = [similarity(patterns[a], patterns[b]) for a in range(ROWS) for b in range(a)
                 if tokens[a] != tokens[b]]
    same, last = [], {}
    for row, token in enumerate(tokens):
        if token in last:
            same.append(similarity(patterns[last[token]], patterns[row]))
        last[token] = row
    n, points = unions(patterns)
    result["codes"][name] = {
        "density": patterns.mean(), "first": np.flatnonzero(patterns[0]).tolist(),
        "tied": np.flatnonzero(patterns[9]).tolist(),
        "different": float(np.mean(different)), "pairs": len(different),
        "same": float(np.mean(same)), "repeats": len(same), "candidates": n, "union": points,
    }
out.write_text(json.dumps(result) + "\n")
