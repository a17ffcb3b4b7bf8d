# What a run's weight net thinks of each kind of sample: the files of `mts-lab run --out out/demo`, read with NumPy.
# SPDX-License-Identifier: Apache-2.0
import csv, numpy

weights = numpy.load("out/demo/weights.npy")
runs = list(csv.DictReader(open("out/demo/results.csv")))
truth = list(csv.DictReader(open("out/demo/truth.csv")))
r = next(k for k, run in enumerate(runs) if run["method"] == "weight-net" and run["batch"] == "256" and run["seed"] == "0")
for kind in ("real", "good", "unchanged", "content", "destroyed"):
    rows = [int(t["sample"]) for t in truth if t["seed"] == "0" and t["kind"] == kind]
    print(kind, weights[r, rows].mean())
