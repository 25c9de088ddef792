"""The five devices of timm's tables, and what of a kernel their profiles price.

A fit has one coefficient per group of (op type, term): what no table tells apart is tied. On a GPU every launch costs the same, and
bytes read and written by what only moves them do.
"""

from __future__ import annotations

from dataclasses import dataclass

from archspace.latency.fit import Feature
from archspace.latency.op_types import COARSER

MULTIPLY = frozenset({"dense", "pointwise", "grouped", "depthwise", "linear", "matmul", "attention", "recurrent"})
EVERY = "*"
UNUSED = frozenset({"ms_per_gmadd_padded", "ms_per_gmadd_unaligned", "ms_per_gb_unaligned"})
LEAST_FAMILIES = 3  # an op type in fewer is priced as its coarser one: left out, one of two would say nothing


@dataclass(frozen=True, slots=True)
class Device:
    """A table and how its device runs."""

    name: str
    title: str
    table: str  # ends the name of its file
    runtime: str
    dtype: str
    fusion: str
    memory_gb_s: float | None = None  # data sheet; None: tensors stay in the cache
    threads: int | None = None

    def floor(self, feature: Feature) -> float:
        """What a coefficient is at least: half of what only moves may come from the cache, the rest not faster than from memory."""
        return 500 / self.memory_gb_s if self.memory_gb_s and feature[1] == "ms_per_gb" else 0.0

    @property
    def is_gpu(self) -> bool:
        """Whether the batch is the largest that fits."""
        return self.dtype == "float16"


_AMP = "eager PyTorch {}, automatic mixed precision, channels first, largest batch that fits"
_COMPILED = "PyTorch 2.4.0 torch.compile, float32, channels first, batch 1"
DEVICES = {
    device.name: device
    for device in (
        Device(
            "rtx4090",
            "NVIDIA GeForce RTX 4090",
            "amp-nchw-pt291-cu128-4090.csv",
            _AMP.format("2.9.1"),
            "float16",
            "torch_amp",
            memory_gb_s=1008,
        ),
        Device(
            "rtx5090",
            "NVIDIA GeForce RTX 5090",
            "amp-nchw-pt291-cu130-5090.csv",
            _AMP.format("2.9.1"),
            "float16",
            "torch_amp",
            memory_gb_s=1792,
        ),
        Device(
            "rtx3090",
            "NVIDIA GeForce RTX 3090",
            "amp-nchw-pt240-cu124-rtx3090.csv",
            _AMP.format("2.4.0"),
            "float16",
            "torch_amp_2.4",
            memory_gb_s=936,
        ),
        Device("i7_12700h", "Intel Core i7-12700H", "fp32-nchw-pt240-cpu-i7_12700h-dynamo.csv", _COMPILED, "float32", "torch_eager"),
        Device("i9_10940x", "Intel Core i9-10940X", "fp32-nchw-pt240-cpu-i9_10940x-dynamo.csv", _COMPILED, "float32", "torch_eager"),
    )
}


def multiplies(op_type: str) -> bool:
    """Whether kernels of a type are products."""
    while op_type and op_type not in MULTIPLY:
        op_type = COARSER[op_type]
    return bool(op_type)


def tied(device: Device, feature: Feature) -> Feature | None:
    """The group that a feature is fitted in; None for one that is not."""
    op_type, term = feature
    if not op_type:
        return feature if term == "constant_ms" else None
    if term in UNUSED or (term == "ms_per_gb_weights" and not device.is_gpu and not multiplies(op_type)):
        return None
    if term == "us_per_kernel" and (device.is_gpu or not multiplies(op_type)):
        return EVERY, term
    if not device.is_gpu:
        return feature
    if term == "ms_per_gb_weights" and op_type != "cast":
        return EVERY, term
    if term in ("ms_per_gb_in", "ms_per_gb_out") and not multiplies(op_type):
        return op_type, "ms_per_gb"
    return feature
