"""report.md of a verified candidate: what it is, its checks, predicted and measured latency, its blocks and its findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archspace.analysis import analyze
from archspace.ir.graph import Graph
from archspace.latency import Profile, breakdown, predict
from archspace.objectives import metric_text
from archspace.report.tables import option_text
from archspace.rules import RULES, lint
from archspace.study import Question
from archspace.units import format_count, format_share

if TYPE_CHECKING:
    from archspace.results.verify_rows import Verified

FINDINGS = 20  # of which the report has the costliest


def report_text(found: Verified, graph: Graph, question: Question, profile: Profile | None) -> str:
    """The whole report, as Markdown."""
    verdict = "verified" if found.ok else "NOT verified"
    parts = [
        f"# {question.space.name}, number {found.rank_before} of the search: {verdict}",
        f"{question}",
        *([f"**Problem:** {found.problem}"] if found.problem else []),
        "## Options",
        _table(["option", "value"], [[name, option_text(value)] for name, value in found.options.items()]),
        "## Metrics",
        _table(["metric", "value", "bound", "inside"], [_metric_row(name, found, question) for name in found.metrics]),
        "## Checks",
        _table(
            ["check", "expected", "found", "verdict"],
            [[row.what, _shown(row.expected), _shown(row.found), "ok" if row.ok else "DIFFERENT"] for row in found.checks],
        ),
        "## Latency",
        *_latency(found, graph, profile),
        "## Blocks",
        _blocks(graph, profile),
        "## Findings",
        *_findings(graph, profile),
    ]
    return "\n\n".join(parts) + "\n"


def _metric_row(name: str, found: Verified, question: Question) -> list[str]:
    most = question.bounds.get(name)
    bound = "" if most is None else f"at most {metric_text(name, most)}"
    value = found.exceeded.get(name, found.metrics[name])
    return [name, metric_text(name, value), bound, "" if most is None else "no" if name in found.exceeded else "yes"]


def _latency(found: Verified, graph: Graph, profile: Profile | None) -> list[str]:
    lines = []
    if profile is not None:
        latency = predict(graph, profile)
        lines.append(f"Predicted: {latency} (80 % interval)")
        lines += [f"Extrapolates: {reason}" for reason in latency.extrapolates]
    if found.timed is not None:
        t = found.timed
        threads = f"{t.threads} thread{'s' if t.threads > 1 else ''}"
        where = f"{t.device}, {threads}, {t.runtime}, {t.backend}, batch {t.batch}, median of {t.rounds} interleaved rounds, {t.time}"
        lines.append(f"Measured: {t.measured_ms:.4g} ms, noise floor {t.noise_pct:.1f} %, spread {t.spread_pct:.1f} % ({where})")
    if found.too_slow:
        lines.append("The measurement exceeds the bound that the prediction keeps, on the machine that the device's profile was fitted on.")
    return lines or ["Neither predicted (no device) nor measured."]


def _blocks(graph: Graph, profile: Profile | None) -> str:
    ms = {} if profile is None else {part.name: part.ms for part in breakdown(predict(graph, profile), "block")}
    rows = []
    for row in analyze(graph).per("block"):
        c = row.counts
        share = format_share(c.elementwise_elems / c.mem_elems) if c.mem_elems else "-"
        cells = [row.name, "x".join(map(str, row.output_shape)), *map(format_count, (c.madds, c.params, c.mem_elems)), share]
        rows.append(cells + ([f"{ms.get(row.name, 0.0):.3f}"] if ms else []))
    columns = ["block", "output", "madds", "params", "mem elems", "element-wise", *(["predicted ms"] if ms else [])]
    return _table(columns, rows)


def _findings(graph: Graph, profile: Profile | None) -> list[str]:
    found = lint(graph, device=profile)
    if not found.findings:
        return ["It breaks none of the design rules."]
    broken = [code for code in (*found.codes, "total") if found.waste[code].findings]
    rules = [
        [
            f"{code} {RULES[code].name}" if code in RULES else code,
            str(found.waste[code].findings),
            format_count(found.waste[code].mem_elems),
            *([f"{found.waste[code].ms or 0.0:.3f}"] if found.device else []),
        ]
        for code in broken
    ]
    lines = [f"- {one.code} {one.node}: {one.message}. Instead: {one.instead}" for one in found.findings[:FINDINGS]]
    more = len(found.findings) - FINDINGS
    return [
        _table(["rule", "findings", "wasted elems", *(["ms"] if found.device else [])], rules),
        "\n".join(lines + ([f"- ... and {more} more"] if more > 0 else [])),
    ]


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in (columns, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], f"|{'---|' * len(columns)}", *lines[1:]])


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={number:g}" if isinstance(number, float) else f"{key}={number:,}" for key, number in value.items())
    if isinstance(value, int | float):
        return f"{value:,}"
    return value if isinstance(value, str) else " ".join("x".join(map(str, shape)) for shape in value)
