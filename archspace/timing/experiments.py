"""The six timing experiments of the ShuffleNet v2 paper as a table: what is compared, and what was printed of it.

Ma et al., "ShuffleNet V2" (ECCV 2018): tables 1 to 4, one per guideline, and appendix tables 1(a) and 1(b). An experiment is a grid: rows
that are compared (the first one is what ratios refer to), at several scales and sizes. One scale at one size is a column: its rows have
about the same multiply-adds, and are timed in the same rounds.

The GPU (GTX 1080 Ti) and the phone (Snapdragon 810, one thread) were given stacks of different channels in tables 1 to 3: x1 of table 1 is
(128, 128) on the one and (32, 32) on the other. No batch is printed of tables 1 to 4 and 1(b); it is taken as one image
(`archspace.zoo.guidelines` says why), and in table 1(a) it is 8 on the GPU for networks of 40 M at 320x320.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from archspace.errors import UnknownNameError
from archspace.ir.graph import Graph
from archspace.timing.unit_stacks import equal_channels, unit_stack
from archspace.units import format_size
from archspace.zoo import build
from archspace.zoo.published_speeds import PRINTED_TWICE, SHUFFLENET_V2, UNITS_TABLE, Speed, published_speeds

PLATFORMS = ("arm", "gpu")  # of the paper
PAPER_OF = {"cpu": "arm", "cuda": "gpu"}  # whose channels and batch are taken where
Pair = tuple[str, str]  # (the row that is said to be slower, the faster one)
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Experiment:
    """One table of the paper. `claim` says in words, behind 'that', what `slower` lists in pairs of rows.

    `tolerance_pct` is how far multiply-adds inside a column may lie from the first row's: what rounding channels costs, or what the paper's
    own levels differ by. `long_sizes` are left out on a CPU unless asked for.
    """

    name: str
    table: str
    title: str
    claim: str
    rows: tuple[str, ...]
    slower: tuple[Pair, ...]
    scales: tuple[str, ...]
    tolerance_pct: float
    sizes: tuple[Size, ...] = ((56, 56),)
    long_sizes: tuple[Size, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a column: the network to be timed, how it is built with a batch, and the speeds printed of it, by platform.

    On the other platform than the one whose channels are taken, `printed` is of the row's counterpart, `networks` says which that is.
    """

    row: str
    network: str
    build: Callable[[int], Graph]
    batch: int
    printed: Mapping[str, Speed]
    networks: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Column:
    """What is timed in the same rounds: all rows at one scale and size."""

    scale: str
    size: Size
    entries: tuple[Entry, ...]

    @property
    def name(self) -> str:
        """Scale and size, as 'x1, 56'."""
        return f"{self.scale}, {format_size(*self.size)}"


def _each_before_the_next(rows: Sequence[str]) -> tuple[Pair, ...]:
    """Every row is slower than those in front of it."""
    return tuple((late, early) for early, late in combinations(rows, 2))


RATIOS = ("1:1", "1:2", "1:6", "1:12")
GROUPS = ("g=1", "g=2", "g=4", "g=8")
NETWORKS = ("ShuffleNet v2", "ShuffleNet v1", "MobileNet v2", "Xception")
SCALES = ("x1", "x2", "x4")

EXPERIMENTS: dict[str, Experiment] = {
    "g1": Experiment(
        "g1",
        "table 1",
        "Guideline 1: equal channel widths",
        "convolutions are slower the further c1:c2 is from 1:1",
        RATIOS,
        _each_before_the_next(RATIOS),
        SCALES,
        tolerance_pct=5.5,  # 9 x 108 for 32 x 32, 36 x 432 for 128 x 128
    ),
    "g2": Experiment(
        "g2",
        "table 2",
        "Guideline 2: group convolution",
        "convolutions are slower the more groups they have",
        GROUPS,
        _each_before_the_next(GROUPS),
        SCALES,
        tolerance_pct=3.5,  # 184 channels for the printed 180, which 8 groups do not divide
    ),
    "g3": Experiment(
        "g3",
        "table 3",
        "Guideline 3: fragmentation",
        "blocks are slower the more fragments they have, in series or in parallel",
        ("1-fragment", "2-fragment-series", "4-fragment-series", "2-fragment-parallel", "4-fragment-parallel"),
        (
            ("2-fragment-series", "1-fragment"),
            ("4-fragment-series", "1-fragment"),
            ("4-fragment-series", "2-fragment-series"),
            ("2-fragment-parallel", "1-fragment"),
            ("4-fragment-parallel", "1-fragment"),
            ("4-fragment-parallel", "2-fragment-parallel"),
        ),
        SCALES,
        tolerance_pct=1.5,  # 45 channels for 64 / sqrt(2)
    ),
    "g4": Experiment(
        "g4",
        "table 4",
        "Guideline 4: element-wise operations",
        "ReLU and shortcut each make a bottleneck slower",
        ("ReLU, shortcut", "ReLU", "shortcut", "neither"),
        (
            ("ReLU, shortcut", "ReLU"),
            ("ReLU, shortcut", "shortcut"),
            ("ReLU, shortcut", "neither"),
            ("ReLU", "neither"),
            ("shortcut", "neither"),
        ),
        SCALES,
        tolerance_pct=0,
    ),
    "units": Experiment(
        "units",
        UNITS_TABLE,
        "Ten units of each network",
        "ShuffleNet v2's unit is the fastest",
        NETWORKS,
        tuple((other, NETWORKS[0]) for other in NETWORKS[1:]),
        SCALES,
        tolerance_pct=4.5,  # 111 channels of ShuffleNet v1 for 64
        sizes=((56, 56), (28, 28)),
    ),
    "resolutions": Experiment(
        "resolutions",
        "appendix table 1a",
        "Whole networks at larger inputs",
        "ShuffleNet v2 is the fastest",
        NETWORKS,
        tuple((other, NETWORKS[0]) for other in NETWORKS[1:]),
        ("40M", "140M", "300M", "500M"),
        tolerance_pct=12,  # at 500 M ShuffleNet v1 has 524 M where v2 has 591 M, at 224x224
        sizes=((320, 320), (480, 640), (720, 1080)),
        long_sizes=((720, 1080),),
    ),
}


def find_experiment(name: str) -> Experiment:
    """The experiment of that name. Raises UnknownNameError."""
    if name not in EXPERIMENTS:
        raise UnknownNameError("experiment", name, EXPERIMENTS)
    return EXPERIMENTS[name]


def columns(one: Experiment, paper: str, scales: Sequence[str] = (), sizes: Sequence[Size] = ()) -> tuple[Column, ...]:
    """The columns of an experiment with a platform's channels and batch: of the scales and sizes asked for, or all, in the paper's order.

    Raises UnknownNameError for a platform that is none, for a scale and a size that the table does not have.
    """
    if paper not in PLATFORMS:
        raise UnknownNameError("platform of the paper", paper, PLATFORMS)
    for scale in scales:
        if scale not in one.scales:
            raise UnknownNameError(f"scale of {one.name}", scale, one.scales)
    for size in sizes:
        if size not in one.sizes:
            raise UnknownNameError(f"input of {one.name}", format_size(*size), [format_size(*known) for known in one.sizes])
    grids = {platform: _grid(one, platform) for platform in PLATFORMS}
    found = []
    for size, scale in product(sizes or one.sizes, scales or one.scales):
        printed = [{platform: grids[platform][size, row, scale] for platform in PLATFORMS} for row in one.rows]
        found.append(Column(scale, size, tuple(_entry(row, paper, speeds) for row, speeds in zip(one.rows, printed, strict=True))))
    return tuple(found)


def _grid(one: Experiment, platform: str) -> dict[tuple[Size, str, str], Speed]:
    """A platform's printed speeds: the file goes through sizes, in them through rows, in these through scales, as the tables do."""
    places = product(one.sizes, one.rows, one.scales)
    return dict(zip(places, published_speeds(SHUFFLENET_V2, one.table, platform), strict=True))


def _entry(row: str, paper: str, printed: Mapping[str, Speed]) -> Entry:
    own = printed[paper]
    networks = {platform: _network(speed) for platform, speed in printed.items()}
    return Entry(row, networks[paper], _builder(own), own.batch or 1, printed, networks)


def _network(speed: Speed) -> str:
    """The name of the network that a speed is of: a member, or units with as many channels as make them equal."""
    if speed.channels is None:
        return PRINTED_TWICE.get(speed.member, speed.member)
    return f"{speed.member}_units_{equal_channels(speed.member, speed.channels)}"


def _builder(speed: Speed) -> Callable[[int], Graph]:
    if speed.channels is None:
        return lambda batch: build(_network(speed), input=speed.input, batch=batch)
    channels = equal_channels(speed.member, speed.channels)
    return lambda batch: unit_stack(speed.member, channels, speed.input, batch=batch)
