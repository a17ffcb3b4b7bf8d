# Made-up embeddings in the files that save_embeddings.py leaves, to try docs/score.md with: four classes in 64 dimensions. Of the synthetic samples a
# third are good, a third have another class's label, and a third lie beside everything real.
# SPDX-License-Identifier: Apache-2.0
import pathlib

import numpy as np

random = np.random.default_rng(7)
centres = random.standard_normal((4, 64))


def samples(n, shift=0.0):
    labels = random.integers(0, 4, n)
    return centres[labels] + 2.5 * random.standard_normal((n, 64)) + shift * random.standard_normal(64), labels


real, good, wrong, beside = samples(600), samples(600), samples(600), samples(600, shift=2.0)
wrong_labels = (wrong[1] + random.integers(1, 4, 600)) % 4
validation = samples(80)
out = pathlib.Path("embeddings")
out.mkdir(exist_ok=True)
np.save(out / "train.npy", np.concatenate([real[0], good[0], wrong[0], beside[0]]).astype(np.float16))
np.save(out / "labels.npy", np.concatenate([real[1], good[1], wrong_labels, beside[1]]))
np.save(out / "group.npy", np.repeat([0, 1], [600, 1800]).astype(np.uint8))
np.savez(out / "validation.npz", features=validation[0].astype(np.float16), labels=validation[1])
