"""A table's rows as samples of a fit: the features of each network at its batch, in the groups that are fitted together."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from devices import LEAST_FAMILIES, Device, tied
from graphs import Measured

from archspace.analysis import DTYPE_BYTES
from archspace.ir import Graph
from archspace.latency.baselines import Work, work_of
from archspace.latency.fit import Feature, Fitted, Sample, features_of, fit, leave_family_out, predicted_ms
from archspace.latency.fusion import fused_kernels
from archspace.latency.op_types import COARSER


@dataclass(frozen=True, slots=True)
class Network:
    """A measured network as a device runs it."""

    row: Measured
    sample: Sample  # every feature by itself
    kind: str  # "CNN", "transformer" (attention between positions) or "other"
    kernels: int
    madds: int  # of one image
    work: Work
    graph: str  # equal for equal graphs


def family_of(model: str) -> str:
    """The name up to the first digit or underscore: what is left out together.

    >>> family_of("convnextv2_tiny"), family_of("resnet50d")
    ('convnextv', 'resnet')
    """
    return re.split(r"[_\d]", model)[0]


def network(row: Measured, graph: Graph, device: Device) -> Network:
    """A row with its graph."""
    kernels = fused_kernels(graph, device.fusion)
    size = DTYPE_BYTES[device.dtype]
    features = features_of(graph, fusion=device.fusion, batch=row.batch, element_bytes=size, kernels=kernels)
    family = family_of(row.model)
    sample = Sample(f"{row.model}@{row.img_size}", family, row.ms, features)
    work = work_of(graph, row.ms, family=family, batch=row.batch, element_bytes=size)
    madds = sum(kernel.madds for kernel in kernels)
    same = str(hash(tuple((node.op, node.inputs, node.shape) for node in graph.nodes)))
    return Network(row, sample, kind_of(graph), len(kernels), madds, work, same)


def kind_of(graph: Graph) -> str:
    """By what mixes positions: attention, else convolutions larger than a patch that they tile, else neither."""
    kinds = {type(node.op).__name__ for node in graph.nodes}
    if "ScaledDotProductAttention" in kinds or ("Softmax" in kinds and kinds & {"MatMul", "Einsum"}):
        return "transformer"
    for node in graph.nodes:
        op = node.op
        size, stride = getattr(op, "kernel_size", 1), getattr(op, "stride", 1)
        if type(op).__name__ == "Conv2d" and size not in (1, (1, 1)) and size != stride:
            return "CNN"
    return "other"


def priced_types(networks: Sequence[Network]) -> Mapping[str, str]:
    """Op type -> the type that it is priced as: its own if enough families have it, else the next coarser one that is."""
    families: dict[str, set[str]] = defaultdict(set)
    for one in networks:
        for op_type, _ in one.sample.features:
            families[op_type].add(one.sample.family)
    priced = {}
    for op_type in families:
        found = op_type
        while len(families.get(found, ())) < LEAST_FAMILIES and COARSER.get(found):
            found = COARSER[found]
        priced[op_type] = found
    return priced


def merged(one: Network, names: Mapping[str, str]) -> Network:
    """A network with some op types priced as others."""
    features: dict[Feature, float] = defaultdict(float)
    for (op_type, term), value in one.sample.features.items():
        features[names.get(op_type, op_type), term] += value
    return replace(one, sample=replace(one.sample, features=dict(features)))


def grouped(networks: Sequence[Network], device: Device) -> list[Sample]:
    """The samples in the groups that are fitted."""
    priced = priced_types(networks)
    out = []
    for one in networks:
        features: dict[Feature, float] = defaultdict(float)
        for (op_type, term), value in one.sample.features.items():
            if (group := tied(device, (priced[op_type], term))) is not None:
                features[group] += value
        out.append(replace(one.sample, features=dict(features)))
    return out


def fitted(samples: Sequence[Sample], device: Device) -> dict[Feature, float]:
    """Toward least absolute relative error, with a small pull toward 0 that settles what the samples do not tell apart."""
    keys = {key for sample in samples for key in sample.features}
    return fit(samples, ridge=0.02, robust_rounds=4, family_power=0.5, floor={key: device.floor(key) for key in keys})


def unseen(samples: Sequence[Sample], device: Device) -> tuple[float, ...]:
    """Each network predicted by a fit without its family."""

    def fitting(kept: Sequence[Sample]) -> Callable[[Sample], float]:
        found = fitted(kept, device)
        return lambda sample: predicted_ms(sample.features, found)

    return leave_family_out(samples, fitting)


def spread(networks: Sequence[Network], device: Device, found: Fitted) -> dict[Feature, float]:
    """The coefficients of a profile: each group's given to every feature in it."""
    priced = priced_types(networks)
    out: dict[Feature, float] = {}
    for op_type, term in sorted({key for one in networks for key in one.sample.features}):
        if priced[op_type] == op_type and (group := tied(device, (op_type, term))) is not None:
            out[op_type, term] = found.get(group, 0.0)
    return out
