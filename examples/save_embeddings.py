# A folder of images as arrays for `mts-lab score`: pool/real/CLASS/*.jpg and pool/synthetic/CLASS/*.jpg, validation/CLASS/*.jpg, embedded by a
# network of torchvision's. Needs PyTorch; docs/score.md says what comes then.
# SPDX-License-Identifier: Apache-2.0
import pathlib

import numpy as np
import torch
import torchvision


def embed(folder, encoder, transform):
    """Embeddings, float16, and labels of a folder with a subfolder for each class."""
    images = torchvision.datasets.ImageFolder(folder, transform)
    rows, labels = [], []
    with torch.inference_mode():
        for x, y in torch.utils.data.DataLoader(images, batch_size=256, num_workers=4):
            rows.append(encoder(x).cpu().numpy().astype(np.float16))
            labels.append(y.numpy())
    return np.concatenate(rows), np.concatenate(labels)


if __name__ == "__main__":
    weights = torchvision.models.ResNet50_Weights.DEFAULT
    encoder = torchvision.models.resnet50(weights=weights).eval()
    encoder.fc = torch.nn.Identity()
    real, synthetic, validation = (
        embed(folder, encoder, weights.transforms()) for folder in ("pool/real", "pool/synthetic", "validation"))
    out = pathlib.Path("embeddings")
    out.mkdir(exist_ok=True)
    np.save(out / "train.npy", np.concatenate([real[0], synthetic[0]]))
    np.save(out / "labels.npy", np.concatenate([real[1], synthetic[1]]))
    np.save(out / "group.npy", np.concatenate([np.zeros(len(real[1]), np.uint8), np.ones(len(synthetic[1]), np.uint8)]))
    np.savez(out / "validation.npz", features=validation[0], labels=validation[1])
