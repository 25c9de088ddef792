"""The options of a MobileNet v2 or an FE-Net, read off a graph whose nodes may have any names. Whether they are right, rebuilding says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any

from archspace.ir.graph import Node
from archspace.ir.ops import AvgPool2d, GroupedShift, ReLU, ReLU6, SparseShift
from archspace.zoo import fenet, mobilenet
from archspace.zoo.config import make_config
from archspace.zoo.read_layers import Layer, NotReadError, Read, alike, base_of, common_options, layer_at, need, reduction_of

Options = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unit:
    """An inverted bottleneck: its channels in, expanded (None: not expanded) and out, what looks at neighbours, and where it ends."""

    channels: int
    expanded: int | None
    out: int
    kernel_size: int
    stride: int
    spatial: Node | None  # a shift or a pool, where no depthwise convolution is
    places: tuple[int, int]  # of its first and its last convolution

    @property
    def expansion(self) -> int:
        """t. Raises NotReadError where it is no whole number."""
        if self.expanded is None:
            return 1
        if self.expanded % self.channels:
            raise NotReadError(f"an expansion must be a whole number, but {self.channels} channels become {self.expanded}")
        return self.expanded // self.channels


def _units(found: Read, layers: Sequence[Layer]) -> Iterator[Unit]:
    """The inverted bottlenecks among layers, in order."""
    i = 0
    while i < len(layers):
        start = layers[i]
        expanded = None if start.is_depthwise else start.op.out_channels
        i += expanded is not None
        inner = layer_at(layers, i)
        i += inner.is_depthwise
        project = layer_at(layers, i)
        i += 1
        need(project.is_pointwise and (start.is_pointwise or start.is_depthwise), "its units must be inverted bottlenecks")
        between = [n for n in found.between(start.place, project.place) if isinstance(n.op, AvgPool2d | SparseShift | GroupedShift)]
        kernel, stride = (inner.kernel_size, inner.stride) if inner.is_depthwise else (3, 2 if _is_pool(between) else 1)
        spatial = between[0] if between else None
        yield Unit(start.op.in_channels, expanded, project.op.out_channels, kernel, stride, spatial, (start.place, project.place))


def _is_pool(nodes: Sequence[Node]) -> bool:
    return any(isinstance(node.op, AvgPool2d) for node in nodes)


def _gated(found: Read, units: Sequence[Unit]) -> Options:
    """Reduction and place of squeeze-and-excitation; nothing where there is none."""
    if not found.gates:
        return {}
    inside = [any(u.places[0] < gate.place < u.places[1] for u in units) for gate in found.gates]
    need(len(set(inside)) == 1, "its squeeze-and-excitations must stand at one place of every unit")
    reduction = reduction_of([(gate.channels, gate.hidden) for gate in found.gates])
    return {"se_reduction": reduction, "se_placement": "expansion" if inside[0] else "output"}


def read_mobilenet_v2(found: Read) -> Iterator[Options]:
    """Candidates for MobileNet v2: every width whose first convolution fits, with table 2's stages, then with others."""
    first, *rest = found.layers
    need(len(rest) > 1 and rest[-1].is_pointwise and not first.is_depthwise, "it must begin and end with a dense convolution")
    last = rest.pop()
    units = list(_units(found, rest))
    need(all(unit.spatial is None for unit in units), "its units must have depthwise convolutions")
    options: Options = {**common_options(found, ReLU6), "last_channels": last.op.out_channels, **_gated(found, units)}
    fitting = list(_mobilenet_widths(first.op.out_channels))
    if len({unit.kernel_size for unit in units}) == 1:
        # Stages of equal channels cannot be told apart, as where the width is small: then table 2 must do.
        yield from ({**options, "kernel_size": units[0].kernel_size, "width": w, "reimplemented": r} for w, r in fitting)
    stages: list[list[Unit]] = []
    for unit in units:
        if not stages or unit.stride == 2 or unit.out != stages[-1][-1].out:
            stages.append([])
        stages[-1].append(unit)
    need(len(stages) == len(mobilenet.V2_STAGES), f"it must have {len(mobilenet.V2_STAGES)} stages, but has {len(stages)}")
    expansions = tuple([stage[0].expansion for stage in stages])
    usual = expansions[0] == 1 and len(set(expansions[1:])) == 1
    options |= {
        "repeats": tuple([len(stage) for stage in stages]),
        "expansion": expansions[1] if usual else expansions,
        "kernel_size": alike([stage[0].kernel_size for stage in stages]),
    }
    yield from ({**options, "width": w, "reimplemented": r} for w, r in fitting)
    channels = tuple([stage[0].out for stage in stages])
    for w, r in fitting:
        try:
            bases = channels if w == 1 else tuple([base_of(c, w, _scale(w, r)) for c in channels])
        except NotReadError:
            continue
        yield {**options, "width": w, "reimplemented": r, "stage_channels": bases}


def _mobilenet_widths(stem: int) -> Iterator[tuple[float, bool]]:
    """Widths that give a first convolution of so many channels, the nearest first, by either way to round."""
    for reimplemented in (False, True):
        for width in dict.fromkeys((*sorted(mobilenet.V2_WIDTHS, key=lambda w: abs(w - stem / 32)), stem / 32)):
            if _scale(width, reimplemented)(32) == stem:
                yield width, reimplemented


def _scale(width: float, reimplemented: bool) -> Callable[[int], int]:
    config = make_config("mobilenet_v2", mobilenet.MobileNetV2Config, {"width": width, "reimplemented": reimplemented})
    return partial(mobilenet.scaled, config)


def read_fenet(found: Read) -> Iterator[Options]:
    """Candidates for FE-Net: widths whose first and last convolutions fit, with table 4's channels or others."""
    first, *rest = found.layers
    need(len(rest) > 1 and rest[-1].is_pointwise and not first.is_depthwise, "it must begin and end with a dense convolution")
    last = rest.pop()
    units = list(_units(found, rest))
    need(len(units) > 2, "it must have units after its stem")
    blocks: list[list[Unit]] = [[]]
    whole = units[1].out
    for unit in units[2:]:
        blocks[-1].append(unit)
        if unit.channels == whole:  # a block's last unit works on all channels
            whole = unit.out
            blocks.append([])
    need(not blocks.pop() and len(blocks) == len(fenet.FE_BLOCKS), f"it must have {len(fenet.FE_BLOCKS)} FE-blocks")
    options: Options = {
        **common_options(found, ReLU),
        "repeats": tuple([len(block) for block in blocks]),
        "expansion": alike([block[0].expansion for block in blocks]),
        **_shift_options(units),
        **_gated(found, units),
    }
    channels = tuple([block[-1].out for block in blocks])
    for width in _fenet_widths(first.op.out_channels, units[1].out, last.op.out_channels):
        yield {**options, "width": width}
        try:
            bases = tuple([base_of(c, width, partial(fenet.scaled, width=width)) for c in channels])
        except NotReadError:
            continue
        yield {**options, "width": width, "stage_channels": bases}


def _fenet_widths(stem: int, pool: int, last: int) -> Iterator[float]:
    """Widths that give these channels of the layers whose channels follow from the width alone, as short as they can be written."""
    ratio = last / fenet.LAST_CHANNELS
    for digits in (2, 3, 4, 6):
        width = ceil(round(ratio * 10**digits, 6)) / 10**digits
        given = [fenet.scaled(c, width) for c in (fenet.STEM_CHANNELS, fenet.POOL_CHANNELS, fenet.LAST_CHANNELS)]
        if given == [stem, pool, last]:
            yield width


def _shift_options(units: Sequence[Unit]) -> Options:
    """What moves the channels, and how many of them it leaves in place."""
    shifts = [unit.spatial.op for unit in units if unit.spatial is not None and not isinstance(unit.spatial.op, AvgPool2d)]
    if not shifts:
        return {"shift": "depthwise" if any(unit.kernel_size > 1 and unit.stride == 1 for unit in units) else "none"}
    sparse = [op for op in shifts if isinstance(op, SparseShift)]
    if not sparse:
        return {"shift": "grouped"}
    need(len(sparse) == len(shifts), "its shifts must be of one kind")
    learned = {"learned_shifts": any(op.learned for op in sparse)}
    return {"shift": "sparse", "shift_sparsity": _sparsity(sparse), **learned}


def _sparsity(shifts: Sequence[SparseShift]) -> float | tuple[float, ...]:
    """The share that stays: one short number where it gives every shift, else one per shift."""
    kept = [(op.channels, op.channels - op.moved_channels) for op in shifts]
    for digits in (1, 2, 3):
        for value in dict.fromkeys(round(stays / channels, digits) for channels, stays in kept):
            if all(int(channels * value + 0.5) == stays for channels, stays in kept):
                return value
    return tuple([stays / channels for channels, stays in kept])
