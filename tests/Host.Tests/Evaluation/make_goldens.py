"""Golden values for the tests of this folder, by programs other than ours: NLTK's Porter stemmer (Debian python3-nltk 3.8),
and a ROUGE written here from its definition (common n-grams by removal, longest common subsequence by recursion),
numpy 1.24's singular values for principal components, and Newton's method for logistic regression.
Run: python3 make_goldens.py > goldens.json"""
import json
import random
import re
from functools import lru_cache

import numpy as np
from nltk.stem.porter import PorterStemmer

WORDS = """caresses ponies ties caress cats feed agreed plastered bled motoring sing conflated troubled sized hopping tanned falling hissing
fizzed failing filing happy sky enjoy by say relational conditional rational valenci hesitanci digitizer conformabli radically differently
vileli analogousli vietnamization predication operator feudalism decisiveness hopefulness callousness formaliti sensitiviti sensibiliti
triplicate formative formalize electriciti electrical hopeful goodness revival allowance inference airliner gyroscopic adjustable
defensible irritant replacement adjustment dependent adoption homologou communism activate angulariti homologous effective bowdlerize
probate rate cease controll roll dying lying news innings proceed psychology apology skies flies dies died tied spied died played
geologically skillfully joyfully totally generalizations oscillators multidimensional university abilities 3rds abc123s sses eed
ing ion eion aion mission bli ably responsibly happily yearly yes syzygy toying trees agree owned using""".split()

PAIRS = [
    ("the cat sat on the mat", "the cat lay on the mat"),
    ("a restaurant named Blue Spice, in the city-centre.", "Blue Spice is a restaurant in the centre of the city"),
    ("", "nothing was wanted"),
    ("something was wanted", ""),
    ("Police killed the gunman", "the gunman killed police"),
    ("x x x y", "x y x x z x"),
    ("It's the operators' operations; operating 24/7!", "The operator operates it 24 7"),
]


def tokens(text, stem):
    words = [w for w in re.split(r"[^a-z0-9]+", text.lower()) if w]
    return [PorterStemmer().stem(w) if stem and len(w) > 3 else w for w in words]


def ngram_score(reference, text, n):
    wanted = [tuple(reference[i:i + n]) for i in range(len(reference) - n + 1)]
    said = [tuple(text[i:i + n]) for i in range(len(text) - n + 1)]
    left, common = list(wanted), 0
    for gram in said:
        if gram in left:
            left.remove(gram)
            common += 1
    return score(common, len(said), len(wanted))


def score(common, said, wanted):
    p, r = (common / said if said else 0.0), (common / wanted if wanted else 0.0)
    return [p, r, 2 * p * r / (p + r) if p + r else 0.0]


def lcs(a, b):
    @lru_cache(None)
    def length(i, j):
        if i == len(a) or j == len(b):
            return 0
        return 1 + length(i + 1, j + 1) if a[i] == b[j] else max(length(i + 1, j), length(i, j + 1))
    return length(0, 0)


def rouge(reference, text, stem):
    a, b = tokens(reference, stem), tokens(text, stem)
    return [ngram_score(a, b, 1), ngram_score(a, b, 2), score(lcs(tuple(a), tuple(b)), len(b), len(a))]


def pca(rows):
    x = np.array(rows, dtype=np.float64)
    x = x - x.mean(0)
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    sign = np.sign(vt[range(len(vt)), np.abs(vt).argmax(1)])
    return {"rows": rows, "explained": (s[:2] ** 2 / (s ** 2).sum()).tolist(), "points": (x @ (vt * sign[:, None])[:2].T).tolist()}


def logistic(rows, labels):
    """Two classes: softmax over w/2 and -w/2, whose penalty is |w|^2 / 4; Newton's method."""
    x = np.array(rows, dtype=np.float64)
    x = (x - x.mean(0)) / x.std(0)
    x = np.hstack([x, np.ones((len(x), 1))])
    y, w = np.array(labels), np.zeros(x.shape[1])
    penalty = np.diag([0.5] * (x.shape[1] - 1) + [0.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ w))
        w -= np.linalg.solve((x.T * (p * (1 - p))) @ x + penalty, x.T @ (p - y) + penalty @ w)
    return {"rows": rows, "labels": labels, "probabilities": (1 / (1 + np.exp(-x @ w))).tolist()}


random.seed(7)
MATRIX = [[random.randrange(-40, 41) / 8 * (1 + 2 * (j == 1)) for j in range(9)] for _ in range(14)]
LABELLED = [[random.randrange(-40, 41) / 8 for _ in range(3)] for _ in range(24)]
LABELS = [int(row[0] - row[1] / 2 + random.random() * 4 > 2) for row in LABELLED]


print(json.dumps({
    "stems": [[word, PorterStemmer().stem(word)] for word in dict.fromkeys(WORDS)],
    "rouge": [{"reference": r, "text": t, "stem": s, "scores": rouge(r, t, s)} for r, t in PAIRS for s in (False, True)],
    "pca": pca(MATRIX),
    "logistic": logistic(LABELLED, LABELS),
}))
