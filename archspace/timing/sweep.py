"""What a calibration times, and how: op benchmarks on buffers that take turns, and networks in interleaved rounds."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from archspace.errors import LawError
from archspace.ir.graph import Graph
from archspace.ir.ops import MaxPool2d
from archspace.ir.ops.base import prod
from archspace.pytorch.lower import to_module
from archspace.pytorch.oracle import example_inputs
from archspace.timing.backends import runner
from archspace.timing.bench_ops import benchmarks
from archspace.timing.clock import CLOCKS
from archspace.timing.machine import cache_bytes
from archspace.timing.rounds import LEAST_ROUNDS, Rounds, endless_rounds, interleave
from archspace.timing.samples import Conditions, Key, TimedGraph, round_sample
from archspace.timing.subject import Subject
from archspace.timing.verb import NotMeasuredWarning, Report
from archspace.zoo import build, resolve

# Eight networks of eight families that between them have every op type of the mobile ones.
ANCHORS = (
    "shufflenet_v1_1x_g3", "shufflenet_v2_1x", "mobilenet_v1_0.5x", "mobilenet_v2_1x", "fenet_1x", "resnet18", "densenet_light_1x",
    "squeezenet_1.1",
)  # fmt: skip
MORE_ANCHORS = (
    *ANCHORS, "shufflenet_v2_0.5x", "mobilenet_v1_1x", "xception_light_1x", "igcv2_0.5x", "igcv3_d_1x", "resnext_like_140m", "shiftnet_c",
    "googlenet", "nasnet_a_mobile", "condensenet_g8", "resnet50", "vgg_like_140m",
)  # fmt: skip
DEFAULT, THOROUGH = "default", "thorough"  # sweeps
ROUNDS = 9  # of the networks
FLOAT32 = 4
LEAST_COPIES, MOST_COPIES = 4, 64
OUTGROWN = 2  # times the cache's size


@dataclass(frozen=True, slots=True)
class Runs:
    """How a backend's profiles are fitted: its fusion rules by the CPU's vector width in bits, and the cache that benchmarks must outgrow.

    Ops of torch write into memory that the last op did not use, so that whole networks stream; ONNX Runtime plans its memory and
    uses it again.
    """

    fusion: Callable[[int | None], str]
    cache_level: int


BACKEND_RUNS: Mapping[str, Runs] = MappingProxyType(
    {
        "eager": Runs(lambda bits: "torch_eager", 3),
        "folded": Runs(lambda bits: "folded", 3),
        "compile": Runs(lambda bits: "inductor", 3),
        "onnxruntime": Runs(lambda bits: {512: "onnxruntime", 256: "onnxruntime_avx2"}.get(bits or 0, "onnxruntime_plain"), 2),
    }
)


def networks_of(sweep: str) -> tuple[str, ...]:
    """The networks that a sweep times: 8 by default, 20 of the thorough one."""
    return MORE_ANCHORS if sweep == THOROUGH else ANCHORS


def copies_of(graph: Graph, backend: str) -> int:
    """How many copies of a benchmark take turns, so that what it reads has left the cache meanwhile."""
    elems = sum(prod(node.shape) for node in graph) + sum(graph.counts(node).weight_elems for node in graph)
    outgrown = OUTGROWN * cache_bytes(BACKEND_RUNS[backend].cache_level)
    return max(LEAST_COPIES, min(MOST_COPIES, -(-outgrown // (FLOAT32 * elems))))


class Turns(nn.Module):
    """Copies of a network, each with weights and inputs of its own, that run one after the other as one network."""

    def __init__(self, module: nn.Module, inputs: tuple[Tensor, ...], copies: int) -> None:
        super().__init__()
        self.copies = nn.ModuleList([copy.deepcopy(module) for _ in range(copies)])
        self.per_copy = len(inputs)

    def forward(self, *inputs: Tensor) -> list[Any]:
        """The outputs of all copies, of the inputs of all copies."""
        step = self.per_copy
        return [one(*inputs[i * step : (i + 1) * step]) for i, one in enumerate(self.copies)]


def turns_of(graph: Graph, copies: int) -> Subject:
    """So many copies of a benchmark as one subject."""
    module, inputs = to_module(graph, seed=0).eval(), example_inputs(graph)
    # Comparisons of the same numbers over and over are what a processor learns to foresee, and a network's never are.
    again = torch.randn_like if any(isinstance(node.op, MaxPool2d) for node in graph) else torch.clone
    with torch.inference_mode(False):
        return Subject(graph.name, Turns(module, inputs, copies), tuple([again(x) for _ in range(copies) for x in inputs]))


def timed_ops(conditions: Conditions, batch: int, known: Collection[Key], report: Report) -> Iterator[TimedGraph]:
    """Times the op benchmarks that have no sample yet, one by one: their copies fill a cache each."""
    every = benchmarks(batch, thorough=conditions.sweep == THOROUGH)
    wanted = [graph for graph in every if ("op", graph.name, batch) not in known]
    for done, graph in enumerate(wanted):
        report(f"op benchmarks{_at(batch)}", done, len(wanted))
        copies = copies_of(graph, conditions.backend)
        # No benchmark has a batch norm to fold, and a folded module would have to be imported first.
        backend = "eager" if conditions.backend == "folded" else conditions.backend
        ready = runner(turns_of(graph, copies), backend, on=conditions.on, threads=conditions.threads)
        timed = interleave([ready.call], CLOCKS[conditions.clock], rounds=LEAST_ROUNDS)
        yield TimedGraph("op", graph.name, "", batch, timed.ms(0) / copies, timed.spread_pct(0), timed.noise_pct)


def timed_networks(
    names: Sequence[str],
    conditions: Conditions,
    batch: int,
    report: Report,
    kept: Mapping[tuple[str, int], float] = MappingProxyType({}),
    *,
    rounds: int = ROUNDS,
) -> Iterator[TimedGraph]:
    """Times networks in the same interleaved rounds: each round as it is done, then the networks.

    Rounds that are `kept`, by network and number, are not run again. What the backend cannot run is a NotMeasuredWarning.
    """
    ready = {}
    for done, name in enumerate(names):
        report(f"preparing {name}{_at(batch)}", done, len(names))
        try:
            subject = Subject(name, build(name, batch=batch))
            ready[name] = runner(subject, conditions.backend, on=conditions.on, threads=conditions.threads)
        except LawError as error:
            warnings.warn(str(error), NotMeasuredWarning, stacklevel=4)
    if not ready:
        return
    calls = [one.call for one in ready.values()]
    what = f"networks{_at(batch)}"
    further = endless_rounds(calls, CLOCKS[conditions.clock])
    least: list[tuple[float, ...]] = []
    for number in range(1, rounds + 1):
        if all((name, number) in kept for name in ready):
            least.append(tuple([kept[name, number] for name in ready]))
        else:
            least.append(next(further))
            for name, ms in zip(ready, least[-1], strict=True):
                yield round_sample(name, resolve(name)[0], batch, number, ms)
        report(what, number, rounds)
    timed = Rounds(tuple(zip(*least, strict=True)))
    for i, name in enumerate(ready):
        yield TimedGraph("network", name, resolve(name)[0], batch, timed.ms(i), timed.spread_pct(i), timed.noise_pct)


def _at(batch: int) -> str:
    return f" at batch {batch}" if batch > 1 else ""
