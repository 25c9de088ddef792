"""Peers: what other counters print for well-known models, as multiply-adds, beside what torch executes and what from_torch says."""

from __future__ import annotations

import contextlib
import copy
import csv
import io
import re
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import ptflops
import thop
import torch
import torchinfo
from counts import torch_counts
from fvcore.nn import FlopCountAnalysis
from models import META, Model, input_shapes, make, version
from torch import Tensor, nn

import archspace

RESULTS = Path(__file__).parent / "results"
TORCHVISION = (
    "alexnet", "vgg16", "googlenet", "inception_v3", "squeezenet1_1", "resnet18", "resnet50", "resnext50_32x4d", "densenet121",
    "mobilenet_v2", "mobilenet_v3_large", "shufflenet_v2_x1_0", "mnasnet1_0", "efficientnet_b0", "regnet_y_400mf", "convnext_tiny",
    "vit_b_16", "swin_t", "swin_v2_t", "maxvit_t",
)  # fmt: skip
TIMM = (
    "mobilenetv4_conv_small", "efficientnetv2_rw_s", "resnetv2_50x1_bit", "vit_small_patch16_224", "deit3_small_patch16_224",
    "beit_base_patch16_224", "coatnet_0_rw_224", "eva02_tiny_patch14_224", "sequencer2d_s", "mixer_s16_224", "mambaout_tiny",
)  # fmt: skip


def fvcore(module: nn.Module, x: Tensor) -> int:
    """One per multiply-add, and batch norms, layer norms, adaptive pooling and interpolation beside."""
    analysis = FlopCountAnalysis(module, x).unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
    return int(analysis.total())


def by_torchinfo(module: nn.Module, x: Tensor) -> int:
    """By hooks on modules."""
    return int(torchinfo.summary(module, input_data=x, verbose=0).total_mult_adds)


def by_thop(module: nn.Module, x: Tensor) -> int:
    """By hooks on modules of known types."""
    return int(thop.profile(module, inputs=(x,), verbose=False)[0])


def by_ptflops(module: nn.Module, x: Tensor) -> int:
    """By hooks on modules, and patched functions."""
    total, _ = ptflops.get_model_complexity_info(
        module, tuple(x.shape[1:]), as_strings=False, print_per_layer_stat=False, backend="pytorch"
    )
    return int(total)


TOOLS: dict[str, Callable[[nn.Module, Tensor], int]] = {"fvcore": fvcore, "torchinfo": by_torchinfo, "thop": by_thop, "ptflops": by_ptflops}


def row_of(model: Model) -> dict[str, Any]:
    """What everyone says of a model on one image. Tools get copies with real tensors on the CPU: they make some of their own there."""
    module, _ = make(model, device=torch.device("cpu"))
    (shape,) = input_shapes(model, module)
    x = torch.zeros(shape)
    said: dict[str, Any] = {"model": model.name, "library": model.library}
    for name, tool in TOOLS.items():
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
            try:
                said[name] = tool(copy.deepcopy(module), x)
            except Exception as error:  # a tool's own failure is the finding
                said[name] = type(error).__name__
    said["archspace"] = archspace.analyze(archspace.from_torch(module, x)).totals.madds
    said["torch"] = torch_counts(module, [x.to(META)])[0]
    for name in TOOLS:
        if isinstance(said[name], int):
            said[f"{name}_off_pct"] = round(100 * (said[name] / said["torch"] - 1), 2)
    return said


def peers() -> None:
    """Write the table."""
    versions = "-".join(f"{name}{re.split(r'-|[.]post', metadata.version(name))[0]}" for name in TOOLS)
    names = {"torchvision": TORCHVISION, "timm": TIMM}
    fields = ["model", "library", "torch", "archspace", *TOOLS, *[f"{name}_off_pct" for name in TOOLS]]
    path = RESULTS / f"peers-{'-'.join(map(version, names))}-{versions}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fields, lineterminator="\n")
        writer.writeheader()
        for library, listed in names.items():
            for name in listed:
                row = row_of(Model(library, name))
                writer.writerow(row)
                file.flush()
                print(row, flush=True)
