"""Golden values for the tests of this folder, by programs other than ours: NLTK's Porter stemmer (Debian python3-nltk 3.8),
and a ROUGE written here from its definition (common n-grams by removal, longest common subsequence by recursion).
Run: python3 make_goldens.py > goldens.json"""
import json
import re
from functools import lru_cache

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


print(json.dumps({
    "stems": [[word, PorterStemmer().stem(word)] for word in dict.fromkeys(WORDS)],
    "rouge": [{"reference": r, "text": t, "stem": s, "scores": rouge(r, t, s)} for r, t in PAIRS for s in (False, True)],
}))
