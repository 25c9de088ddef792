"""`archspace check`: a gate for continuous integration: bounds that a network must hold, and rules that it must not break."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

import click

from archspace.analysis.report import total_counts
from archspace.cli.bounds import named_bounds
from archspace.cli.device import device_option, latency_note, latency_record
from archspace.cli.findings import DEVICE_RULES
from archspace.cli.lint import FAIL_ON, NEVER, Demand, settled_fail_on
from archspace.cli.models import FAMILY_OPTIONS, load_model, split_words
from archspace.cli.output import Table, emit, output_options
from archspace.cli.request import Request, request_options
from archspace.errors import LawError
from archspace.files import check_writable
from archspace.ir.graph import Graph
from archspace.ir.ops import Opaque
from archspace.latency import Latency, predict
from archspace.rules import RULES, Lint
from archspace.settings import BOUNDS, Settings, load_settings
from archspace.units import format_count, format_share

OK, EXCEEDED, BROKEN, NOT_JUDGED = "ok", "exceeded", "broken", "not judged"


@dataclass(frozen=True, slots=True)
class Held:
    """A bound and what the network has of it; the margin is what is left, negative where it is exceeded."""

    metric: str
    asked: float
    measured: float
    lower_bound: bool = False  # the network has at least so much

    @property
    def margin(self) -> float:
        """What is left below the bound, in the metric's unit."""
        return self.asked - self.measured

    @property
    def verdict(self) -> str:
        """A value that meets its bound exactly holds it."""
        return OK if self.measured <= self.asked else EXCEEDED

    def to_dict(self) -> dict[str, Any]:
        """JSON values; the keys are a contract."""
        return asdict(self) | {"margin": self.margin, "margin_share": self.margin / self.asked, "verdict": self.verdict}


@dataclass(frozen=True, slots=True)
class Kept:
    """A rule, what a network breaks of it, and how many of these findings count."""

    rule: str
    name: str
    severity: str
    findings: int
    failing: int  # at or above the severity that fails
    mem_elems: int  # wasted
    judged: bool

    @property
    def verdict(self) -> str:
        """Findings below the severity that fails break nothing."""
        return BROKEN if self.failing else OK if self.judged else NOT_JUDGED

    def to_dict(self) -> dict[str, Any]:
        """JSON values; the keys are a contract."""
        values = asdict(self)
        del values["judged"]
        return values | {"verdict": self.verdict}


@dataclass(frozen=True, slots=True)
class Check:
    """All bounds and rules that were asked of a network, and what came of them."""

    graph: Graph
    bounds: tuple[Held, ...]
    rules: tuple[Kept, ...]
    fail_on: str
    latency: Latency | None
    device: str | None

    @property
    def failures(self) -> list[str]:
        """What makes the gate stay shut, in words."""
        over = [
            f"{held.metric} {_measured_text(held, 'at least ')}, at most {_text(held, held.asked)}"
            for held in self.bounds
            if held.verdict == EXCEEDED
        ]
        broken = [f"{kept.rule} {_findings(kept.failing)} at or above {self.fail_on}" for kept in self.rules if kept.failing]
        return over + broken

    @property
    def verdict(self) -> str:
        """The last line: whether the network passes, and why not or with what doubt."""
        if self.failures:
            return f"failed: {'; '.join(self.failures)}"
        doubts = [f"{len(self.opaque)} of {len(self.graph)} ops are of unknown work"] if self.opaque else []
        if self.latency and self.latency.lower_bound:
            doubts.append("the latency is a lower bound")
        elif self.latency and not self.latency.interval_holds:
            doubts.append("the latency extrapolates")
        return f"passed, but {' and '.join(doubts)}" if doubts else "passed"

    @property
    def opaque(self) -> list[str]:
        """Nodes of unknown work, of which only the memory access is counted."""
        return [node.name for node in self.graph if isinstance(node.op, Opaque)]

    def to_dict(self) -> dict[str, Any]:
        """JSON values; the keys are a contract."""
        return {
            "schema": 1,
            "model": self.graph.name,
            "config": dict(self.graph.config),
            "input_shape": list(self.graph.input_shape),
            "device": self.device,
            "passed": not self.failures,
            "bounds": [held.to_dict() for held in self.bounds],
            "fail_on": self.fail_on,
            "rules": [kept.to_dict() for kept in self.rules],
            "opaque": self.opaque,
        } | ({"latency": latency_record(self.latency)} if self.latency else {})

    def records(self) -> list[dict[str, Any]]:
        """One row per bound and rule; of a rule, no finding that counts is asked."""
        rows = []
        for held in self.bounds:
            values = held.to_dict()
            rows.append({"check": values.pop("metric"), **values})
        for kept in self.rules:
            margin = {"asked": 0, "measured": kept.failing, "margin": -kept.failing, "margin_share": None}
            rows.append({"check": kept.rule, **margin, "verdict": kept.verdict})
        return rows


@click.command("check", context_settings=FAMILY_OPTIONS)
@click.argument("words", metavar="MODEL [MODEL OPTIONS]", nargs=-1, type=click.UNPROCESSED)
@click.option("--max-madds", metavar="COUNT", help="At most so many multiply-adds: 140M.")
@click.option("--max-params", metavar="COUNT", help="At most so many parameters: 2.3M.")
@click.option("--max-mem-elems", metavar="COUNT", help="At most so much memory access, in elements: 20M.")
@click.option("--max-acts", metavar="COUNT", help="At most so many activations: 3M.")
@click.option("--max-latency", metavar="TIME", help="At most this predicted latency: 30ms. Needs --device.")
@device_option
@click.option("--select", metavar="CODES", help="Rules, or how their codes begin: G1,S102.  [default: none]")
@click.option("--ignore", metavar="CODES", help="Rules to leave out, of those selected or of all.")
@click.option("--fail-on", type=click.Choice(FAIL_ON), help="Fail on findings this serious or worse.  [default: warning]")
@request_options
@output_options
def command(words: tuple[str, ...], request: Request, form: str, output: str | None, force: bool, **options: Any) -> int:
    """Hold a network against bounds and rules: exit code 1 when it exceeds or breaks one.

    Bounds, device, rules and their thresholds may also stand in [tool.archspace] of pyproject.toml; what is given here goes first.

    \b
    Example: archspace check model.json --max-madds 150M --max-latency 30ms --device sd810 --select G
    """
    names, model_options = split_words(words)
    if len(names) != 1:
        raise LawError(f"check takes one MODEL, but got {len(names)}: {' '.join(names) or 'none'}. Run it once per network.")
    if output is not None:
        check_writable(output, force=force)
    graph = load_model(names[0], model_options, request)
    settings = load_settings()
    bounds = {**settings.bounds, **named_bounds(options)}
    rules_asked = bool(settings.select) or any(options[key] is not None for key in ("select", "ignore", "fail_on"))
    if not bounds and not rules_asked:
        raise LawError(
            "check needs a bound or a rule to hold the network against, but got none. Give --max-madds 150M or --select G, "
            "or set them in [tool.archspace] of pyproject.toml."
        )
    fail_on = options["fail_on"] or settled_fail_on(settings)
    demand = Demand.read(options["select"], options["ignore"], options["device"], settings)
    if "latency_ms" in bounds and demand.profile is None:
        _say_that_latency_needs_a_device(settings, options)
    latency = predict(graph, demand.profile, batch=request.batch) if demand.profile and "latency_ms" in bounds else None
    kept = _kept(demand.of(graph), fail_on) if rules_asked else ()
    check = Check(graph, _held(graph, bounds, latency), kept, fail_on, latency, demand.profile.device if demand.profile else None)
    emit(form, output, tables=lambda: _tables(check), data=check.to_dict, records=check.records, force=force)
    click.echo(check.verdict, err=True)
    return 1 if check.failures else 0


def _say_that_latency_needs_a_device(settings: Settings, options: Mapping[str, Any]) -> NoReturn:
    missing = LawError("latency needs a device, but none is given. Add --device gtx1080ti or --device sd810.")
    if options["max_latency"] is None:
        with settings.blamed("max_latency"):
            raise missing
    raise missing


def _held(graph: Graph, bounds: Mapping[str, float], latency: Latency | None) -> tuple[Held, ...]:
    counts = total_counts(graph)
    metrics = [metric for metric, _ in BOUNDS.values() if metric in bounds]
    measured = {metric: latency.ms if latency and metric == "latency_ms" else getattr(counts, metric) for metric in metrics}
    least = latency is not None and latency.lower_bound
    return tuple(Held(metric, bounds[metric], value, least and metric == "latency_ms") for metric, value in measured.items())


def _kept(found: Lint, fail_on: str) -> tuple[Kept, ...]:
    failing = [] if fail_on == NEVER else [finding.code for finding in found.at_least(fail_on)]
    rows = []
    for code in found.codes:
        rule, waste = RULES[code], found.waste[code]
        judged = found.device is not None or not code.startswith(DEVICE_RULES)
        rows.append(Kept(code, rule.name, rule.severity, waste.findings, failing.count(code), waste.mem_elems, judged))
    return tuple(rows)


def _tables(check: Check) -> list[Table]:
    shape = "x".join(map(str, check.graph.input_shape))
    title = f"{check.graph.name}  input {shape}"
    notes = latency_note(check.latency) if check.latency else []
    if check.opaque:
        notes.append(f"ops of unknown work, counted as memory access alone: {', '.join(check.opaque)}")
    rows = [
        [held.metric, _text(held, held.asked), _measured_text(held, "≥ "), _text(held, held.margin, "+"), _share(held), held.verdict]
        for held in check.bounds
    ]
    tables = [Table(("<bound", "asked", "is", "margin", "", "<verdict"), rows, title)] if rows else []
    if check.rules:
        lines = [
            [kept.rule, kept.name, kept.severity, str(kept.findings), str(kept.failing), format_count(kept.mem_elems), kept.verdict]
            for kept in check.rules
        ]
        columns = ("<rule", "<name", "<severity", "findings", "failing", "wasted elems", "<verdict")
        tables.append(Table(columns, lines, "" if tables else title, optional=("<severity", "wasted elems")))
        if any(kept.failing < kept.findings for kept in check.rules):
            notes.append(f"failing: {check.fail_on} or above" if check.fail_on != NEVER else "failing: no finding, however serious")
        unjudged = [kept.rule for kept in check.rules if kept.verdict == NOT_JUDGED]
        notes += [f"{', '.join(unjudged)}: not judged, it needs --device"] if unjudged else []
    return [*tables, Table((), (), notes=notes)] if notes else tables


def _text(held: Held, value: float, sign: str = "") -> str:
    """Every digit of a count: a gate turns on the last one."""
    return f"{value:{sign},.3f} ms" if held.metric == "latency_ms" else f"{value:{sign},.0f}"


def _measured_text(held: Held, least: str) -> str:
    return f"{least if held.lower_bound else ''}{_text(held, held.measured)}"


def _share(held: Held) -> str:
    share = format_share(held.margin / held.asked)
    return share if held.margin < 0 else f"+{share}"


def _findings(count: int) -> str:
    return "1 finding" if count == 1 else f"{count} findings"
