# What `mts-lab score` left in out/score, as a filtered data set and as weights.
# SPDX-License-Identifier: Apache-2.0
import csv

import numpy as np

weights = np.load("out/score/weights.npy")  # float32, one for each row of train.npy, of mean 1
rows = list(csv.DictReader(open("out/score/selected.csv")))
kept = np.sort([int(row["index"]) for row in rows])  # places in the pool

train, labels = np.load("embeddings/train.npy"), np.load("embeddings/labels.npy")
np.savez("filtered.npz", features=train[kept], labels=labels[kept], weights=weights[kept])

group = np.load("embeddings/group.npy")
print(f"kept {len(kept)} of {len(weights)}")
for name, of in (("real", group == 0), ("synthetic", group != 0)):
    print(f"{name}: mean weight {weights[of].mean():.2f}, {of[kept].sum()} of {of.sum()} kept")
