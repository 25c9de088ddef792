"""What the table's rows change besides what they are about: the width of convolutions, whether it fills ONNX Runtime's blocks, the shuffle.

Each control is a column of its own, timed in the same rounds: the first row is what ratios refer to, `per_madd` is the ratio of the times
of one multiply-add.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from archspace import build, measure
from archspace.ir import Builder, Graph
from archspace.timing import Subject
from archspace.timing.unit_stacks import REPEATS, unit_stack
from archspace.zoo.shufflenet_v2 import ShuffleNetV2Config, basic_unit

BACKENDS = ("eager", "onnxruntime")
MAP = (56, 56)
INPUT = (320, 320)
Make = Callable[[], Graph]


def unshuffled(channels: int) -> Graph:
    """Ten units of ShuffleNet v2 without their shuffle."""
    b = Builder(f"unshuffled_{channels}")
    x = b.input((1, channels, *MAP))
    for i in range(REPEATS):
        with b.block(f"stage1.unit{i}"):
            x = basic_unit(b, x, ShuffleNetV2Config(shuffle=False), 3, 0.5)
    return b.build(x)


def ratio(c1: int, c2: int) -> tuple[str, Make]:
    return f"{c1}x{c2}", lambda: build("guideline1", c1=c1, c2=c2)


def groups(channels: int, g: int) -> tuple[str, Make]:
    return f"{channels} channels, g={g}", lambda: build("guideline2", channels=channels, groups=g)


# What is controlled -> rows. Channels that are powers of two have exactly equal multiply-adds and fill blocks of 16 (but for 8).
CONTROLS: dict[str, list[tuple[str, Make]]] = {
    "g1, powers of two, x1": [ratio(32, 32), ratio(16, 64), ratio(8, 128)],
    "g1, powers of two, x2": [ratio(64, 64), ratio(32, 128), ratio(16, 256)],
    "g1, powers of two, x4": [ratio(128, 128), ratio(64, 256), ratio(32, 512), ratio(16, 1024)],
    "g2, powers of two, x1": [groups(64, 1), groups(128, 4), groups(256, 16)],
    "g2, powers of two, x4": [groups(256, 1), groups(512, 4), groups(1024, 16)],
    "width": [groups(c, 1) for c in (256, 192, 180, 128, 96, 90, 64, 48, 45, 32, 24, 16)],
    # Units whose channels, halves, bottlenecks and groups are multiples of 16; multiply-adds are not equal.
    "units in whole blocks": [
        (f"{family}, {c}", lambda family=family, c=c: unit_stack(family, c, MAP))
        for family, c in (("shufflenet_v2", 128), ("shufflenet_v1", 192), ("mobilenet_v2", 32), ("xception_light", 144))
    ],
    # Those of the experiment, c=128 and x2, for the same quotient.
    "units of x2": [
        (f"{family}, {c}", lambda family=family, c=c: unit_stack(family, c, MAP))
        for family, c in (("shufflenet_v2", 128), ("shufflenet_v1", 222), ("mobilenet_v2", 25), ("xception_light", 120))
    ],
    # The published branches have 58, 116 and 232 channels; 64, 128 and 256 fill blocks. 2x: 122, 244, 488, and 128, 256, 512.
    "networks in whole blocks": [
        ("shufflenet_v2_1x", lambda: build("shufflenet_v2_1x", input=INPUT)),
        ("shufflenet_v2_1x, 128 256 512", lambda: build("shufflenet_v2_1x", input=INPUT, stage_channels=(128, 256, 512))),
        ("xception_light_1x", lambda: build("xception_light_1x", input=INPUT)),
        ("shufflenet_v2_2x", lambda: build("shufflenet_v2_2x", input=INPUT)),
        ("shufflenet_v2_2x, 256 512 1024", lambda: build("shufflenet_v2_2x", input=INPUT, stage_channels=(128, 256, 512))),
        ("xception_light_2x", lambda: build("xception_light_2x", input=INPUT)),
    ],
    "shuffle": [
        (name, make)
        for c in (64, 128, 256)
        for name, make in (
            (f"v2 units, c={c}", lambda c=c: unit_stack("shufflenet_v2", c, MAP)),
            (f"v2 units, c={c}, without shuffle", lambda c=c: unshuffled(c)),
        )
    ],
}


def run(rounds: int) -> list[dict[str, Any]]:
    """One row per control, network and backend."""
    rows = []
    for what, members in CONTROLS.items():
        graphs = {name: make() for name, make in members}
        madds = {name: sum(graph.counts(node).madds for node in graph) for name, graph in graphs.items()}
        found = measure([Subject(name, graph) for name, graph in graphs.items()], backends=BACKENDS, rounds=rounds)
        first = {row.backend: row for row in reversed(found)}
        for row in found:
            base = first[row.backend]
            times = median(a / b for a, b in zip(row.least_ms, base.least_ms, strict=True))
            rows.append(
                {
                    "control": what,
                    "network": row.model,
                    "backend": row.backend,
                    "madds": madds[row.model],
                    "measured_ms": f"{row.measured_ms:.5g}",
                    "gmadds_per_s": f"{madds[row.model] / row.measured_ms / 1e6:.4g}",
                    "ratio": f"{times:.4g}",
                    "per_madd": f"{times * madds[base.model] / madds[row.model]:.4g}",
                    "noise_pct": f"{row.noise_pct:.2g}",
                    "rounds": row.rounds,
                }
            )
    return rows
