#!/usr/bin/env python3
"""Writes reference_values.hpp: features of a small pool, computed from their definitions in plain Python.

    python3 tests/features/reference_values.py > tests/features/reference_values.hpp

Nothing of the library is used: whole lists of cosines, sorted; sums by math.fsum. The inputs are multiples of 1/64, so
that float and double hold them exactly. The standard library is enough.
"""
import math
import random
import textwrap

N, M, E, C, K = 17, 7, 4, 3, 3
rng = random.Random(20)


def rows(n):
    return [[round(rng.gauss(0.4, 1) * 64) / 64 for _ in range(E)] for _ in range(n)]


pool, validation = rows(N), rows(M)
labels = [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2] + [rng.randrange(C) for _ in range(N - 12)]
groups = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1] + [rng.randrange(3) for _ in range(N - 12)]
validation_labels = [0, 1, 2, 0, 1, 1, 0]
losses = [round(rng.expovariate(1) * 8) / 8 for _ in range(N)]  # some are equal
logits = [[round(rng.gauss(0, 2) * 64) / 64 for _ in range(C)] for _ in range(N)]


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b))


def length(a):
    return math.sqrt(dot(a, a))


def cosine(a, b):
    return dot(a, b) / (length(a) * length(b))


def mean_row(vectors):
    return [math.fsum(column) / len(vectors) for column in zip(*vectors)]


def mean(values):
    return math.fsum(values) / len(values)


def largest(values, k):
    return sorted(values, reverse=True)[:k]


def filled(values, k):
    return values + [values[-1]] * (k - len(values))


def of_class(i, holds):
    return [j for j in range(N) if labels[j] == labels[i] and holds(groups[j])]


def synthetic(g):
    return g != 0


def fractional_ranks(values):
    below = [sum(x < v for x in values) for v in values]
    ties = [sum(x == v for x in values) for v in values]
    return [(b + (t - 1) / 2) / (len(values) - 1) for b, t in zip(below, ties)]


synthetic_centre = [cosine(pool[i], mean_row([pool[j] for j in of_class(i, synthetic)])) for i in range(N)]
nearest_synthetic = [
    filled(largest([cosine(pool[i], pool[j]) for j in of_class(i, synthetic) if j != i], K), K) for i in range(N)
]


def agreement(i):
    near = sorted(((cosine(pool[i], pool[j]), j) for j in range(N) if j != i), key=lambda p: (-p[0], p[1]))[:5]
    weights = [max(c, 0.0) for c, _ in near]
    return math.fsum(w for w, (_, j) in zip(weights, near) if labels[j] == labels[i]) / math.fsum(weights)


def median_distance_ranks():
    out = [0.0] * N
    for c in range(C):
        own = [i for i in range(N) if labels[i] == c]
        centre = mean_row([pool[i] for i in own])
        d = [math.dist(pool[i], centre) for i in own]
        median = sorted(d)[(len(d) - 1) // 2]
        for i, rank in zip(own, fractional_ranks([abs(x - median) for x in d])):
            out[i] = rank
    return out


def margin(i, own, other):
    return mean(largest([cosine(pool[i], x) for x in own], K)) - mean(largest([cosine(pool[i], x) for x in other], K))


def real_margin(i):
    own = [pool[j] for j in range(N) if groups[j] == 0 and labels[j] == labels[i] and j != i]
    other = [pool[j] for j in range(N) if groups[j] == 0 and labels[j] != labels[i]]
    return margin(i, own, other)


def validation_margin(i):
    own = [validation[v] for v in range(M) if validation_labels[v] == labels[i]]
    other = [validation[v] for v in range(M) if validation_labels[v] != labels[i]]
    return margin(i, own, other)


def class_validation(i):
    centres = [mean_row([validation[v] for v in range(M) if validation_labels[v] == c]) for c in range(C)]
    cosines = [cosine(pool[i], centre) for centre in centres]
    return [cosines[labels[i]], max(cosines[c] for c in range(C) if c != labels[i])]


def error_norm(i):
    e = [math.exp(z) for z in logits[i]]
    return math.sqrt(math.fsum((x / math.fsum(e) - (c == labels[i])) ** 2 for c, x in enumerate(e)))


alignments = [round(rng.gauss(0.3, 1) * 64) / 64 for _ in range(9)]


def alignment_statistics(values, rate, prior_count):
    """From the weights that each value has at the end, not step by step."""
    weights = [1.0]
    for j in range(2, len(values) + 1):
        w = max(rate, 1 / j)
        weights = [x * (1 - w) for x in weights] + [w]
    m = math.fsum(w * a for w, a in zip(weights, values))
    variance = math.fsum(w * (a - m) ** 2 for w, a in zip(weights, values))
    squares = math.fsum(w * w for w in weights)
    n = 1 / squares
    return [m, math.sqrt(variance / (1 - squares) * squares), m * n / (n + prior_count), len(values)]


def cpp(name, values):
    flat = [x for row in values for x in (row if isinstance(row, list) else [row])]
    kind = "int" if all(isinstance(x, int) for x in flat) else "double"
    print(f"inline const std::vector<{kind}> {name} = {{")
    print(textwrap.fill(", ".join(repr(x) for x in flat), 120, initial_indent="    ", subsequent_indent="    ",
                        break_on_hyphens=False) + "};")


print("#pragma once")
print("// Written by reference_values.py: inputs, and features of them by their definitions.")
print("// clang-format off")
print("#include <vector>")
print("namespace mts_test::reference {")
print(f"inline constexpr int samples = {N}, validation_samples = {M}, width = {E}, classes = {C};")
cpp("pool", pool)
cpp("labels", labels)
cpp("groups", groups)
cpp("validation", validation)
cpp("validation_labels", validation_labels)
cpp("losses", losses)
cpp("logits", logits)
cpp("alignments", alignments)
cpp("synthetic_centre_cosine", synthetic_centre)
cpp("nearest_synthetic_cosine", nearest_synthetic)
cpp("neighbour_agreement", [agreement(i) for i in range(N)])
cpp("median_distance_rank", median_distance_ranks())
cpp("real_margin", [real_margin(i) for i in range(N)])
cpp("validation_margin", [validation_margin(i) for i in range(N)])
cpp("class_validation_cosines", [class_validation(i) for i in range(N)])
cpp("loss_quantile", fractional_ranks(losses))
cpp("error_norm", [error_norm(i) for i in range(N)])
cpp("alignment_full", alignment_statistics(alignments, 0, 10))
cpp("alignment_exponential", alignment_statistics(alignments, 0.25, 4))
print("}  // namespace mts_test::reference")
