"""What does a frozen sparse shift cost beside a depthwise 3x3 convolution, and how sparse does the penalty make it?

python studies/shift/study.py      # one thread, interleaved rounds; writes results/; about three minutes
"""

from __future__ import annotations

import csv
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from archspace.ir import Builder, Graph
from archspace.ir.ops import AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Flatten, Linear, ReLU, SparseShift
from archspace.pytorch import accuracy, deploy, fit, freeze_shifts, shift_sparsity, to_module
from archspace.pytorch import layers as shift_layers
from archspace.zoo import build

CHANNELS = (64, 128, 256, 512)
MAPS = (7, 14, 28, 56)
SPARSITY = 0.9
ROUNDS = 200
NETWORK_ROUNDS = 30
LAMBDAS = (0.0, 0.003, 0.01, 0.03, 0.1)
EPOCHS = 8
IMAGES = 600
RESULTS = Path(__file__).parent / "results"


def interleaved(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median time of each in ms; every round runs all of them, so that noise meets them alike. The first tenth is not counted."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for i in range(rounds + rounds // 10):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if i >= rounds // 10:
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: median(values) for name, values in times.items()}


def trained_shift(channels: int) -> shift_layers.SparseShift:
    """A learned shift in eval mode whose displacements round to zero but for a tenth of the channels, scattered; those go to neighbours."""
    generator = torch.Generator().manual_seed(channels)
    layer = shift_layers.SparseShift(channels, 0, learned=True).eval()
    steps = shift_layers.sparse_displacements(channels, channels - int(channels * SPARSITY + 0.5))
    order = torch.randperm(channels, generator=generator)
    with torch.no_grad():
        for parameter, values in zip((layer.alpha, layer.beta), zip(*steps, strict=True), strict=True):
            parameter.copy_(torch.tensor(values, dtype=torch.float32)[order])
    return layer


def layer_times(channels: int, size: int) -> dict[str, float]:
    """Median ms of the layers on one map of size x size pixels: `copy` is what a layer that leaves its input alone cannot avoid."""
    learned, frozen = trained_shift(channels), trained_shift(channels)
    frozen.freeze()
    inplace = shift_layers.FixedShift(frozen.alpha.tolist(), frozen.beta.tolist(), inplace=True)
    depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False).eval()
    x = torch.randn((1, channels, size, size), generator=torch.Generator().manual_seed(0))
    own = x.clone()
    assert torch.equal(learned(x), frozen(x))
    works: dict[str, Callable[[], object]] = {
        "depthwise": lambda: depthwise(x),
        "learned": lambda: learned(x),
        "frozen": lambda: frozen(x),
        "inplace": lambda: inplace(own),
        "copy": lambda: x.clone(),
    }
    return interleaved(works, ROUNDS)


def layer_rows() -> list[list[object]]:
    """One row per shape: the times, and those of the shifts as parts of the depthwise convolution's."""
    rows: list[list[object]] = []
    for channels in CHANNELS:
        for size in MAPS:
            ms = layer_times(channels, size)
            ratios = [ms[name] / ms["depthwise"] for name in ("learned", "frozen", "inplace")]
            rows.append([channels, size, *(round(value, 4) for value in ms.values()), *(round(ratio, 2) for ratio in ratios)])
            print(*rows[-1], sep="\t", flush=True)
    return rows


def digits_graph() -> Graph:
    """1x1 convolutions and two learned shifts, which alone look at neighbours."""
    b = Builder("digits")
    x = b.input((1, 1, 8, 8))
    for i in range(3):
        x = b.add(f"conv{i}", Conv2d(x.channels, 24, 1), x)
        x = b.add(f"relu{i}", ReLU(), b.add(f"bn{i}", BatchNorm2d(24), x))
        x = b.add(f"shift{i}", SparseShift(24, 12, learned=True), x) if i < 2 else x
    x = b.add("pool", AdaptiveAvgPool2d(2), x)
    return b.build(b.add("fc", Linear(96, 10), b.add("flatten", Flatten(), x)))


def sparsity_rows() -> list[list[object]]:
    """One row per penalty and lambda: the share of channels that stay, before and after training, and the accuracy when frozen."""
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 8 - 1
    labels = torch.tensor(data.target)
    seen: tuple[Tensor, Tensor] = (images[:IMAGES], labels[:IMAGES])
    rows: list[list[object]] = []
    for order in (1, 2):
        for strength in LAMBDAS:
            module = to_module(digits_graph(), seed=0)
            start = shift_sparsity(module)
            fit(module, *seen, epochs=EPOCHS, batch_size=30, lr=0.05, shift_penalty=strength, penalty_order=order, seed=0)
            freeze_shifts(module)
            right = accuracy(module, images[IMAGES:], labels[IMAGES:])
            rows.append([f"L{order}", strength, round(start, 3), round(shift_sparsity(module), 3), round(right, 3)])
            print(*rows[-1], sep="\t", flush=True)
    return rows


def network_rows() -> list[list[object]]:
    """One row per network: median ms as built and deployed."""
    rows: list[list[object]] = []
    for family, options in (("fenet", {}), ("shufflenet_v2", {}), ("mobilenet_v2", {}), ("condensenet", {})):
        graph = build(family, **options)
        original = to_module(graph, seed=0).eval()
        deployed_graph, state = deploy(graph, original.state_dict())
        deployed = to_module(deployed_graph).eval()
        deployed.load_state_dict(state)
        x = torch.randn(graph.input_shape)
        ms = interleaved({"original": lambda m=original, x=x: m(x), "deployed": lambda m=deployed, x=x: m(x)}, NETWORK_ROUNDS)
        rows.append([family, round(ms["original"], 2), round(ms["deployed"], 2), round(ms["deployed"] / ms["original"], 2)])
        print(*rows[-1], sep="\t", flush=True)
    return rows


def write(name: str, header: list[str], rows: list[list[object]]) -> None:
    """One CSV in results/."""
    with (RESULTS / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main() -> None:
    """Measure everything, print it, write it."""
    torch.set_num_threads(1)
    times = [f"{name}_ms" for name in ("depthwise", "learned", "frozen", "inplace", "copy")]
    ratios = ["learned_ratio", "frozen_ratio", "inplace_ratio"]
    with torch.inference_mode():
        rows, networks = layer_rows(), network_rows()
    machine = f"{platform.machine()}-1thread"
    write(f"layers-{machine}-{ROUNDS}rounds-sparsity{SPARSITY}.csv", ["channels", "map", *times, *ratios], rows)
    write(f"networks-{machine}-{NETWORK_ROUNDS}rounds-224px.csv", ["network", "original_ms", "deployed_ms", "ratio"], networks)
    header = ["penalty", "lambda", "sparsity_at_start", "sparsity", "unseen_digits_right"]
    write(f"sparsity-digits-8px-{IMAGES}images-{EPOCHS}epochs.csv", header, sparsity_rows())


if __name__ == "__main__":
    main()
