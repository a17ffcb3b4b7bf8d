#!/usr/bin/env python3
"""Writes the files beside it as NumPy does: what the readers of arrays are tested with.

    python3 tests/data/numpy/make.py

The entries are those that arrays_test.cpp expects. Needs NumPy; the files here are of 1.24.
"""
import os

import numpy as np

os.chdir(os.path.dirname(os.path.abspath(__file__)))


def integers(t):
    i = np.iinfo(t)
    return np.array([[i.min, 0, 1], [2, 100, i.max]], dtype=t)


def floats(t):
    f = np.finfo(t)
    return np.array([[-0.0, 1.5, f.max], [f.smallest_subnormal, -np.inf, np.nan]], dtype=t)


types = {t: integers(t) for t in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")}
types |= {t: floats(t) for t in ("f2", "f4", "f8")}
types["b1"] = np.array([[False, True, True], [True, False, False]])
arrays = {}
for t, a in types.items():
    arrays[t] = a
    arrays[t + "_fortran"] = np.asfortranarray(a)
    if a.dtype.itemsize > 1:
        arrays[t + "_big"] = a.astype(a.dtype.newbyteorder(">"))
        arrays[t + "_big_fortran"] = np.asfortranarray(arrays[t + "_big"])
np.savez("types.npz", **arrays)
np.savez_compressed("types_compressed.npz", **arrays)

block = np.arange(24, dtype="<i4").reshape(4, 3, 2)
np.savez("shapes.npz", vector=np.arange(5, dtype=">i2"), number=np.float32(2.5), empty=np.zeros((0, 3), "<f4"),
         no_columns=np.zeros((4, 0), "<f8"), block=block, block_fortran=np.asfortranarray(block),
         view=np.arange(20, dtype="<f4").reshape(4, 5)[::2, 1::2])
np.savez_compressed("only.npz", features=np.arange(12, dtype="<f4").reshape(4, 3))
np.save("vector.npy", np.array([1.5, -2.5, 0.25], dtype="<f4"))
np.save("fortran.npy", np.asfortranarray(np.arange(6, dtype=">i8").reshape(2, 3)))
for version in (1, 2, 3):
    with open(f"version_{version}.npy", "wb") as file:
        np.lib.format.write_array(file, np.arange(6, dtype="<u2").reshape(2, 3), version=(version, 0))

# What is refused.
np.save("structured.npy", np.array([(1, 2.0)], dtype=[("id", "<i4"), ("score", "<f8")]))
np.save("objects.npy", np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
np.save("texts.npy", np.array(["cat", "horse"]))
np.save("complex.npy", np.array([1 + 2j], dtype="<c8"))
