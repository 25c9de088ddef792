"""What the page of a study is given: columns over all candidates, networks with their block tables, curves. Numbers and their texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from archspace.analysis.pareto import Direction


class State(IntEnum):
    """What became of a candidate; the page's script knows them by these numbers."""

    BROKEN = 0  # could not be built or measured
    OUTSIDE = 1  # beyond a bound
    WITHIN = 2
    FRONT = 3


@dataclass(frozen=True, slots=True)
class MetricColumn:
    """One metric of every candidate; None and '' where it has none. `bound` is the most that the budget allows."""

    name: str
    unit: str
    summary: str
    values: Sequence[float | None]
    texts: Sequence[str]
    direction: Direction | None = None  # None: not an objective
    bound: float | None = None
    bound_text: str = ""


@dataclass(frozen=True, slots=True)
class ParameterColumn:
    """One scalar that varies over the candidates; None where it is not active. With `words`, values are places among them."""

    name: str
    values: Sequence[float | None]
    words: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class BlockRow:
    """One block of a network. `ms` is '' without a device."""

    name: str
    ops: str
    output: str
    madds: str
    params: str
    mem_elems: str
    ms: str


@dataclass(frozen=True, slots=True)
class RuleRow:
    """What one design rule finds in a network: findings, elements accessed for nothing, and their ms ('' without a device)."""

    code: str
    name: str
    findings: int
    wasted: str
    ms: str


@dataclass(frozen=True, slots=True)
class NetworkTable:
    """A network's blocks and what the linter says of it; `messages` are its costliest findings in words."""

    blocks: Sequence[BlockRow]
    rules: Sequence[RuleRow] = ()
    wasted: str = ""  # all rules together
    messages: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ReferencePoint:
    """A published network: its metrics by name (values and texts), its table among the page's tables."""

    name: str
    about: str
    options: str
    metrics: Mapping[str, float]
    texts: Mapping[str, str]
    table: int


@dataclass(frozen=True, slots=True)
class Curve:
    """A number over the trials: best so far, hypervolume, feasible share. None before there is any."""

    title: str
    axis: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Importances:
    """Objective -> the share of each parameter, the largest first; `note` says how they were had, or why there are none."""

    shares: Mapping[str, Mapping[str, float]]
    note: str


@dataclass(frozen=True, slots=True)
class StudyPage:
    """A whole study, ready to be drawn. Candidates are the rows of all columns, in the order of `numbers`.

    `options`: one text per name in `option_names` and candidate; `tables`: networks' tables, which `candidate_tables` and the
    references point into (None: not kept); `commands`: how a candidate without a table is shown in a terminal.
    """

    title: str
    question: str
    facts: Mapping[str, str]
    notes: Sequence[str]
    numbers: Sequence[int]
    states: Sequence[State]
    option_names: Sequence[str]
    options: Sequence[Sequence[str]]
    problems: Mapping[int, str]
    commands: Sequence[str]
    metrics: Sequence[MetricColumn]
    parameters: Sequence[ParameterColumn]
    winners: Sequence[int]  # rows, best first
    first: int  # the row that is shown at first
    tables: Sequence[NetworkTable]
    candidate_tables: Sequence[int | None]
    references: Sequence[ReferencePoint]
    nearest: int | None  # the reference that winners are compared with at first
    reference_note: str
    importances: Importances
    curves: Sequence[Curve]
    curve_note: str
    constants: Mapping[str, str] = field(default_factory=dict)

    @property
    def objectives(self) -> tuple[MetricColumn, ...]:
        """The metrics that have a direction, the first one first."""
        return tuple(metric for metric in self.metrics if metric.direction is not None)
