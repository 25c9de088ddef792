"""Do built networks train? A short training on scikit-learn's digits: real 8x8 images, enlarged to 32x32.

python studies/digits/study.py                      # ShuffleNet v1, v2 and FE-Net with learned shifts; writes results/
python studies/digits/study.py winners/01/graph.json   # one network, e.g. a search's winner; writes nothing
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import torch
from sklearn.datasets import load_digits

import archspace
from archspace.pytorch import accuracy, fit, freeze_shifts, shift_sparsity
from archspace.zoo import build

# These networks are small: a second thread gains little, and on a busy machine waiting for it costs tenfold.
torch.set_num_threads(1)

SIDE = 32
TRAINING_IMAGES = 1200  # of 1797; the rest tests
EPOCHS, BATCH_SIZE, LEARNING_RATE, SEED = 6, 64, 0.02, 0
SHIFT_PENALTY = 1e-4  # the paper's smallest lambda (SSL table 1)
RESULTS = Path(__file__).parent / "results" / f"losses-cpu-{SIDE}px-{TRAINING_IMAGES}images-{EPOCHS}epochs.csv"

NETWORKS = {
    "shufflenet_v1": {"family": "shufflenet_v1", "groups": 3, "width": 0.25},
    "shufflenet_v2": {"family": "shufflenet_v2", "width": 0.5},
    "fenet": {"family": "fenet", "width": 0.5, "learned_shifts": True},
}


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Images (n, 3, 32, 32), zero mean and unit variance, and labels (n,), in a fixed random order."""
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32)[:, None]
    images = torch.nn.functional.interpolate(images, size=(SIDE, SIDE), mode="bilinear").repeat(1, 3, 1, 1)
    images = (images - images.mean()) / images.std()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(SEED))
    return images[order], torch.tensor(data.target)[order]


def train(name: str, config: dict[str, object]) -> list[dict[str, object]]:
    """Train one network; one row per epoch with its mean loss, and the test accuracy in the last."""
    options = {key: value for key, value in config.items() if key not in ("family", "input", "batch", "num_classes")}
    graph = build(str(config["family"]), **options, input=(SIDE, SIDE), num_classes=10)
    module = archspace.to_module(graph, seed=SEED)
    images, labels = digits()
    seen, unseen = slice(0, TRAINING_IMAGES), slice(TRAINING_IMAGES, None)

    def report(epoch: int, loss: float) -> None:
        print(f"{name}: epoch {epoch}/{EPOCHS}, loss {loss:.3f}", flush=True)

    losses = fit(
        module,
        images[seen],
        labels[seen],
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        lr=LEARNING_RATE,
        shift_penalty=SHIFT_PENALTY,
        seed=SEED,
        progress=report,
    )
    if graph.config.get("learned_shifts"):
        freeze_shifts(module)
        print(f"{name}: {100 * shift_sparsity(module):.0f} % of the channels learned to stay")
    right = accuracy(module, images[unseen], labels[unseen])
    print(f"{name}: {100 * right:.1f} % of {len(labels[unseen])} unseen digits are right")
    rows: list[dict[str, object]] = [{"network": name, "epoch": i, "loss": round(loss, 4)} for i, loss in enumerate(losses, start=1)]
    rows[-1]["test_accuracy"] = round(right, 4)
    return rows


def main(arguments: list[str]) -> int:
    """Train the networks of the study, or the one whose graph JSON is given; 1 when a loss did not fall."""
    if arguments:
        graph = archspace.load(arguments[0])
        rows = train(graph.name, dict(graph.config))
    else:
        rows = [row for name, config in NETWORKS.items() for row in train(name, config)]
        with RESULTS.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["network", "epoch", "loss", "test_accuracy"], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    first = {row["network"]: row["loss"] for row in reversed(rows)}
    last = {row["network"]: row["loss"] for row in rows}
    return 0 if all(float(str(last[name])) < float(str(first[name])) for name in first) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
