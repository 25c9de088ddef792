"""Speed: from_torch and analyze beside fvcore's FlopCountAnalysis, warm and interleaved; and what importing a gigabyte of weights takes."""

from __future__ import annotations

import csv
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from models import Model, input_shapes, make
from peers import fvcore
from torch import nn

import archspace

ROUNDS = 21
MODELS = (
    Model("torchvision", "shufflenet_v2_x1_0"),
    Model("torchvision", "resnet50"),
    Model("torchvision", "mobilenet_v3_large"),
    Model("torchvision", "vit_b_16"),
    Model("torchvision", "swin_t"),
    Model("timm", "efficientnet_b0"),
)
RESULTS = Path(__file__).parent / "results"
CONDITIONS = f"{platform.machine()}-{os.cpu_count()}cores"
MEBI = 1 << 20
WIDTH = 8192  # a linear layer of 256 MiB


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def speed() -> None:
    """Measure, print, write: medians of rounds in which each tool has its turn."""
    torch.set_num_threads(1)
    rows = []
    for model in MODELS:
        module, _ = make(model, device=torch.device("cpu"))
        x = torch.zeros(input_shapes(model, module)[0])
        works = {
            "archspace": lambda module=module, x=x: archspace.analyze(archspace.from_torch(module, x)),
            "fvcore": lambda module=module, x=x: fvcore(module, x),
        }
        times: dict[str, list[float]] = {name: [] for name in works}
        for turn in range(-1, ROUNDS):
            for name, work in works.items():
                taken = seconds(work)
                if turn >= 0:
                    times[name].append(taken)
        ours, theirs = (1e3 * median(values) for values in times.values())
        rows.append((model.library, model.name, round(ours, 1), round(theirs, 1), round(ours / theirs, 2)))
        print(*rows[-1], flush=True)
    write(f"speed-{CONDITIONS}-{ROUNDS}rounds.csv", ("library", "model", "archspace_ms", "fvcore_ms", "ratio"), rows)


def write(name: str, fields: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """A table among the results."""
    with (RESULTS / name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([fields, *rows])


def gigabyte(device: str) -> tuple[float, float]:
    """The mebibytes of weights that importing was given, and those by which the process' peak grew over it."""
    with torch.device(device):
        module = nn.Sequential(*[nn.Sequential(nn.Linear(WIDTH, WIDTH, bias=False), nn.ReLU()) for _ in range(4)])
        archspace.from_torch(nn.Linear(2, 2), torch.zeros(1, 2))  # what is loaded once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    archspace.analyze(archspace.from_torch(module, torch.zeros(1, WIDTH, device=device)))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return sum(one.numel() for one in module.parameters()) * 4 / MEBI, (after - before) / 1024  # Linux gives kibibytes


def memory() -> None:
    """Measure in processes of their own, since a peak does not fall."""
    rows = []
    for device in ("meta", "cpu"):
        command = [sys.executable, str(Path(__file__).with_name("study.py")), "gigabyte", device]
        made = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        rows.append((device, *made))
        print(*rows[-1])
    write(f"memory-{CONDITIONS}-linear{WIDTH}.csv", ("device", "weights_mib", "peak_growth_mib"), rows)
