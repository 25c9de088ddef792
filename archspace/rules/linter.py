"""The linter: every selected rule on a network, its findings sorted by what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from archspace.errors import LawError, UnknownNameError
from archspace.ir.graph import Graph, require_graph
from archspace.ir.ops import Opaque
from archspace.latency import Latency, Profile, load_profile, predict
from archspace.latency.terms import COMPUTE
from archspace.rules.finding import SEVERITIES, Breach, Finding
from archspace.rules.network import Network
from archspace.rules.selection import selected
from archspace.rules.table import RULES

Thresholds = Mapping[str, Mapping[str, float]]  # rule code -> threshold -> value


@dataclass(frozen=True, slots=True)
class Waste:
    """What a rule, or all rules together, find wasted.

    An op counts once per guideline, by the finding that blames it most, and never for more than the memory that it accesses.
    """

    findings: int
    mem_elems: int
    ms: float | None  # None without a device


@dataclass(frozen=True, slots=True)
class Lint:
    """The findings of a network, the costliest first."""

    graph: Graph
    findings: tuple[Finding, ...]
    codes: tuple[str, ...]  # the rules that were asked
    waste: Mapping[str, Waste]  # by rule code, and "total"
    device: str | None
    opaque: tuple[str, ...]  # nodes of unknown work: linted around
    mem_elems: int  # memory access of the whole network
    waste_by_stage: Mapping[tuple[str, str], Waste] = field(default_factory=dict)  # by (rule code, stage)
    extrapolates: tuple[str, ...] = ()  # why the device's profile may not hold for this network
    unpriced: tuple[str, ...] = ()  # op types whose wasted memory access has no price on the device
    free_madds: bool = False  # the device has no price for multiply-adds, where R101 asks for one

    @property
    def summary(self) -> dict[str, int]:
        """Findings per group of rules: {"G1": 12, ...}, the groups that were asked."""
        counts = dict.fromkeys((code[:2] for code in self.codes), 0)
        for finding in self.findings:
            counts[finding.code[:2]] += 1
        return counts

    @property
    def caveats(self) -> tuple[str, ...]:
        """What to know before the milliseconds are believed: where the device's profile extrapolates, and what it has no price for."""
        extrapolates = [f"{self.device} extrapolates: {reason}" for reason in self.extrapolates]
        unpriced = [f"{self.device} has no price for the memory access of {' and '.join(self.unpriced)} ops: 0 ms of waste there"]
        unjudged = [f"{self.device} has no price for multiply-adds: R101 judges only ops that make none"]
        return (*extrapolates, *(unpriced if self.unpriced else ()), *(unjudged if self.free_madds else ()))

    def at_least(self, severity: str) -> tuple[Finding, ...]:
        """The findings of that severity or a higher one. Raises UnknownNameError for another word."""
        if severity not in SEVERITIES:
            raise UnknownNameError("severity", severity, SEVERITIES)
        return tuple(finding for finding in self.findings if SEVERITIES.index(finding.severity) >= SEVERITIES.index(severity))

    def to_dict(self) -> dict[str, Any]:
        """JSON values; the keys are a contract."""
        return {
            "schema": 1,
            "model": self.graph.name,
            "config": dict(self.graph.config),
            "input_shape": list(self.graph.input_shape),
            "device": self.device,
            "findings": [asdict(finding) for finding in self.findings],
            "summary": self.summary,
            "waste": {code: asdict(waste) for code, waste in self.waste.items()},
            "caveats": list(self.caveats),
            "opaque": list(self.opaque),
        }


def lint(
    graph: Graph,
    *,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    device: str | Profile | Path | None = None,
    thresholds: Thresholds | None = None,
) -> Lint:
    """Hold a network against the design rules.

    `select` and `ignore` are codes or their beginnings ("G1", "S"); without `select` all rules are asked. With a `device`, findings carry
    predicted milliseconds and the roofline rules work. `thresholds`: {"G101": {"ratio": 1.5}}. Blocks with ops of unknown work are linted
    around. Raises UnknownNameError for a rule or device, LawError for a threshold out of its range.
    """
    require_graph("lint", graph)
    codes = selected(tuple(RULES), _words(select), _words(ignore))
    given = _thresholds(thresholds or {})
    profile = device if isinstance(device, Profile) or device is None else load_profile(device)
    if profile and profile.vector_width:
        given = {**given, "G202": {"vector_width": profile.vector_width, **given.get("G202", {})}}
    latency = predict(graph, profile) if profile else None
    network = Network.of(graph, latency)
    price = _Price.of(profile, latency, graph) if profile and latency else None
    found: list[tuple[Finding, Breach]] = []
    for code in codes:
        rule = RULES[code]
        for breach in rule.check(network, rule.limits(given.get(code, {}))):
            node = graph.nodes[breach.node]
            ms = price.ms(graph, breach.waste, breach.waste if breach.saves_ops else ()) if price else None
            found.append(
                (
                    Finding(
                        code,
                        rule.severity,
                        node.name,
                        node.block,
                        breach.measured,
                        breach.bound,
                        breach.excess_mem_elems,
                        ms,
                        breach.message,
                        breach.instead,
                    ),
                    breach,
                )
            )
    found.sort(key=lambda pair: (-(pair[0].excess_ms or 0.0), -pair[0].excess_mem_elems, pair[0].code, pair[1].node))
    stages = list(dict.fromkeys(node.stage for node in graph))
    return Lint(
        graph,
        tuple(finding for finding, _ in found),
        codes,
        {
            **{code: _waste([pair for pair in found if pair[0].code == code], network, price) for code in codes},
            "total": _waste(found, network, price),
        },
        profile.device if profile else None,
        tuple(node.name for node in graph if isinstance(node.op, Opaque)),
        sum(counts.mem_elems for counts in network.counts),
        {
            (code, stage): _waste([pair for pair in found if pair[0].code == code and _stage(pair[0]) == stage], network, price)
            for code in codes
            for stage in stages
        },
        latency.extrapolates if latency else (),
        price.unpriced(graph, (i for _, breach in found for i, elems in breach.waste.items() if elems)) if price else (),
        "R101" in codes and profile is not None and not any(any(c.values[COMPUTE]) for c in profile.coefficients.values()),
    )


@dataclass(frozen=True, slots=True)
class _Price:
    """What wasted elements and kernels take on a device, by its profile."""

    ms_per_elem: Mapping[str, float]  # leading node of a kernel -> ms per element of its maps
    ms_per_kernel: Mapping[str, float]  # leading node of a kernel -> ms to launch it
    op_types: Mapping[str, str]  # leading node of a kernel -> its type

    @classmethod
    def of(cls, profile: Profile, latency: Latency, graph: Graph) -> _Price:
        """An op inside a fused kernel costs nothing of its own: only a kernel's leading node has a price."""
        scale = latency.batch / graph.input_shape[0] * profile.element_bytes * 1e-9
        prices = profile.prices()
        kernels = [(row.name, prices[row.op_type]) for row in latency.rows]
        return cls(
            {name: (c.ms_per_gb_in + c.ms_per_gb_out) / 2 * scale for name, c in kernels},
            {name: c.us_per_kernel * 1e-3 for name, c in kernels},
            {row.name: row.op_type for row in latency.rows},
        )

    def unpriced(self, graph: Graph, wasteful: Iterable[int]) -> tuple[str, ...]:
        """The types of the kernels among nodes whose memory access costs nothing by the profile."""
        names = {graph.nodes[i].name for i in wasteful}
        return tuple(sorted({self.op_types[name] for name in names if self.ms_per_elem.get(name) == 0.0}))

    def ms(self, graph: Graph, waste: Mapping[int, int], saved: Iterable[int]) -> float:
        """Milliseconds of a batch: elements accessed for nothing, and kernels that need not be launched."""
        moved = sum(self.ms_per_elem.get(graph.nodes[i].name, 0.0) * elems for i, elems in waste.items())
        return moved + sum(self.ms_per_kernel.get(graph.nodes[i].name, 0.0) for i in saved)


def _waste(found: Sequence[tuple[Finding, Breach]], network: Network, price: _Price | None) -> Waste:
    """The waste of findings, as `Waste` counts it."""
    largest: dict[tuple[str, int], int] = {}
    for finding, breach in found:
        for i, elems in breach.waste.items():
            key = (finding.code[:2], i)
            largest[key] = max(largest.get(key, 0), elems)
    saved = {i for _, breach in found if breach.saves_ops for i in breach.waste}
    by_node: dict[int, int] = {}
    for (_, i), elems in largest.items():
        by_node[i] = by_node.get(i, 0) + elems
    by_node = {i: min(elems, network.counts[i].mem_elems) for i, elems in by_node.items()}
    return Waste(len(found), sum(by_node.values()), price.ms(network.graph, by_node, saved) if price else None)


def _stage(finding: Finding) -> str:
    return finding.block.partition(".")[0]


def _words(prefixes: Iterable[str]) -> tuple[str, ...]:
    if isinstance(prefixes, str):
        prefixes = prefixes.split(",")
    return tuple(prefixes)


def _thresholds(given: Thresholds) -> Thresholds:
    for code, values in given.items():
        if code not in RULES:
            raise UnknownNameError("rule", code, RULES)
        if not isinstance(values, Mapping):
            raise LawError(f"{code}: thresholds must be a table of names and numbers, but got {values!r}")
        RULES[code].limits(values)
    return given
