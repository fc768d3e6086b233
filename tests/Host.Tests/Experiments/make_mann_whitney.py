#!/usr/bin/env python3
"""Writes mann_whitney.json: U and two-sided p from the definitions, with the standard library alone.

U counts pairs (x > y, ties half). Small samples: p is the share of all ways to deal out the values whose U is at least as far from
its mean. Large samples: normal approximation, variance corrected for ties, continuity correction of one half.
"""
import json, math, random
from fractions import Fraction
from itertools import combinations
from collections import Counter
from pathlib import Path


def u_of(a, b):
    return sum(Fraction(1) if x > y else Fraction(1, 2) if x == y else Fraction(0) for x in a for y in b)


def exact(a, b):
    values, n = a + b, len(a)
    mean, u = Fraction(n * len(b), 2), u_of(a, b)
    hits = total = 0
    for chosen in combinations(range(len(values)), n):
        picked = set(chosen)
        other = u_of([values[i] for i in chosen], [v for i, v in enumerate(values) if i not in picked])
        total += 1
        hits += abs(other - mean) >= abs(u - mean)
    return float(u), float(Fraction(hits, total))


def normal(a, b):
    n, m = len(a), len(b)
    count, u = n + m, u_of(a, b)
    ties = sum(t ** 3 - t for t in Counter(a + b).values())
    variance = Fraction(n * m, 12) * (count + 1 - Fraction(ties, count * (count - 1)))
    z = max(Fraction(0), abs(u - Fraction(n * m, 2)) - Fraction(1, 2)) / Fraction(math.sqrt(variance))
    return float(u), math.erfc(float(z) / math.sqrt(2))


def main():
    draw = random.Random(5)
    cases = [
        ("no ties", [0.1, 0.4, 0.35, 0.8], [0.9, 0.7, 0.65, 0.5, 0.95], exact),
        ("ties", [0, 0, 0.25, 0.25, 0.5, 1], [0.25, 0.5, 0.5, 1, 1, 1], exact),
        ("all equal", [0, 0, 0], [0, 0], exact),
        ("apart", [0.0, 0.1, 0.2, 0.3], [1.0, 1.1, 1.2, 1.3], exact),
        ("one value", [0.5], [0.1, 0.2, 0.9], exact),
        ("slots", [draw.choice([0, 0, 0, 0.25, 0.5]) for _ in range(60)], [draw.choice([0, 0.25, 0.75, 1, 1]) for _ in range(60)], normal),
        ("no difference", [draw.random() for _ in range(31)], [draw.random() for _ in range(47)], normal),
        ("slight", [draw.gauss(0.1, 1) for _ in range(200)], [draw.gauss(0, 1) for _ in range(150)], normal),
        ("all equal, many", [0.0] * 30, [0.0] * 30, None),
    ]
    rows = []
    for name, a, b, how in cases:
        u, p = how(a, b) if how else (450.0, 1.0)
        rows.append(dict(name=name, a=a, b=b, u=u, p=p))
    (Path(__file__).parent / "mann_whitney.json").write_text(json.dumps(rows) + "\n")


main()
