"""Predicted latencies as tables for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import floor, log10
from textwrap import wrap

from archspace.cli.latency_measured import noise_lines
from archspace.cli.latency_records import CAUSES, Predicted, Timed, kernel_record, ratio_of
from archspace.cli.output import Table
from archspace.latency import Part, Profile
from archspace.latency.breakdown import total
from archspace.units import format_share

SHOWN = 5  # names of opaque ops in a table
WIDTH = 80  # columns of a line
LABEL = 16  # of them, what a line of the total is called


def tables(found: Sequence[Predicted], profile: Profile, per: str, top: int | None, *, of_parts: bool) -> list[Table]:
    """Of one network its rows, op types and total; of several their totals side by side and, where asked (`of_parts`), the rows of each."""
    if len(found) == 1:
        one = found[0]
        noise = [f"{key:<16}{value}" for key, value in noise_lines([one.timed])]
        return [_parts_table(one, per, top), _types_table(one), Table((), (), "total", [*_total_lines(one), *noise, profile_line(profile)])]
    whole = _networks_table(found, profile)
    noise = [f"{key}: {value}" for key, value in noise_lines([one.timed for one in found])]
    whole = replace(whole, notes=[*whole.notes, *noise])
    return [whole, *([_parts_table(one, per, top) for one in found] if of_parts else [])]


def in_ms(whole: float) -> Callable[[float], str]:
    """How times are written beside a total: with as many digits as give it four; nothing is a dash.

    >>> text = in_ms(3.2204)
    >>> text(3.2204), text(0.01), text(0.0)
    ('3.220', '0.010', '-')
    """
    digits = max(0, 3 - floor(log10(whole))) if whole > 0 else 3
    return lambda value: f"{value:.{digits}f}" if value else "-"


def heading(one: Predicted) -> str:
    """'shufflenet_v2  input 3x224x224  batch 8  gtx1080ti'."""
    shape = "x".join(map(str, one.graph.input_shape[1:])) or "1"
    return f"{one.label}  input {shape}  batch {one.latency.batch}  {one.latency.device}"


def profile_line(profile: Profile) -> str:
    """What stands behind the interval."""
    error = profile.error
    return f"fit             {error.mape_pct:.1f} % off in the mean, on {error.networks} networks that it had not seen"


def _cells(part: Part, whole: Part) -> list[str]:
    text = in_ms(whole.ms)
    share = format_share(part.ms / whole.ms) if whole.ms else "-"
    causes = [text(getattr(part, f"{cause}_ms")) for cause in CAUSES[:3]]
    return [str(len(part.kernels)), text(part.ms), share, *causes]


def _parts_table(one: Predicted, per: str, top: int | None) -> Table:
    whole = total(one.latency)
    rows, kinds = [], []
    for part in (*one.parts(per, top), whole):
        kinds.append([kernel_record(part)["op_type"], str(len(kernel_record(part)["nodes"]) or "")])
        rows.append([part.name, *_cells(part, whole)])
    columns = ["<block" if per == "block" else f"<{per}", "kernels", "ms", "share", "compute", "memory", "overhead"]
    if per != "op":
        return Table(columns, rows, heading(one), optional=("kernels", "overhead", "compute"))
    columns[1:2] = ["<type", "ops"]  # what runs as the kernel
    rows = [[row[0], *kind, *row[2:]] for row, kind in zip(rows, kinds, strict=True)]
    return Table(columns, rows, heading(one), optional=("ops", "overhead", "compute"))


def _types_table(one: Predicted) -> Table:
    whole = total(one.latency)
    parts = one.parts("type", max(1, len(one.latency.rows)))
    rows = [[part.name, *_cells(part, whole)] for part in parts]
    return Table(("<op type", "kernels", "ms", "share", "compute", "memory", "overhead"), rows, optional=("kernels", "overhead", "compute"))


def _total_lines(one: Predicted) -> list[str]:
    """The total with its interval, its causes, and what to know before it is believed."""
    latency, whole = one.latency, total(one.latency)
    text = in_ms(latency.ms)
    said = [("latency", str(latency))]
    if whole.ms:
        held = "" if latency.interval_holds else ": does not hold outside the fitted range"
        said.append(("80 % interval", f"{text(latency.low_ms)} to {text(latency.high_ms)} ms{held}"))
        shares = [f"{cause} {format_share(getattr(whole, f'{cause}_ms') / whole.ms)}" for cause in CAUSES]
        said.append(("by cause", ", ".join(shares)))
    said += [("measured", _measured_text(one))] if one.timed else []
    return [line for key, value in [*said, *doubts(one)] for line in labelled(key, value)]


def labelled(key: str, value: str) -> list[str]:
    """'latency         3.22 ms', in as many lines as it takes for WIDTH columns.

    >>> labelled("extrapolates", "146 kernels, fitted on 29 to 139")
    ['extrapolates    146 kernels, fitted on 29 to 139']
    """
    return folded(f"{key:<{LABEL}}{value}", indent=LABEL)


def folded(line: str, indent: int = 4) -> list[str]:
    """A line in as many as it takes for WIDTH columns; words are never broken."""
    return wrap(line, WIDTH, subsequent_indent=" " * indent, drop_whitespace=True, break_long_words=False, break_on_hyphens=False)


def _where(timed: Timed) -> str:
    return f"{timed.backend} on {timed.on}, threads {timed.threads}"


def _measured_text(one: Predicted) -> str:
    if one.timed is None:
        return ""
    inside = "inside" if one.is_within else "outside"
    return f"{one.timed.measured_ms:.4g} ms here ({_where(one.timed)}): predicted {one.error_pct:+.1f} %, {inside} the interval"


def doubts(one: Predicted) -> list[tuple[str, str]]:
    """What speaks against a prediction: what it extrapolates, and work that nobody knows."""
    lines = [("extrapolates", reason) for reason in one.latency.extrapolates]
    if names := one.opaque:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        ops = "1 op" if len(names) == 1 else f"{len(names)} ops"
        lines.append(("lower bound", f"{ops} of unknown work, priced by memory access at most: {', '.join(names[:SHOWN])}{more}"))
    return lines


def doubts_of_all(found: Sequence[Predicted]) -> list[str]:
    """The same of several networks, each under its name."""
    return [f"{one.label}: {key}: {value}" for one in found for key, value in doubts(one)]


def _networks_table(found: Sequence[Predicted], profile: Profile) -> Table:
    first = found[0]
    text = in_ms(min(one.latency.ms for one in found))
    where = next((_where(one.timed) for one in found if one.timed), "")
    rows = []
    for one in found:
        latency, whole = one.latency, total(one.latency)
        least = "≥ " if latency.lower_bound else ""
        interval = f"{text(latency.low_ms)} to {text(latency.high_ms)}"
        row = [one.label, least + text(latency.ms), interval if latency.interval_holds else f"({interval})"]
        row.append(_times(ratio_of(latency.ms, first.latency.ms)))
        if where:
            row += _measured_cells(one, first, text)
        rows.append([*row, *(format_share(getattr(whole, f"{cause}_ms") / whole.ms) if whole.ms else "-" for cause in CAUSES)])
    columns = ("<", "ms", "80 % interval", "ratio", *(["measured", "its ratio", "off"] if where else []), *CAUSES)
    notes = [f"ms: one batch of {first.latency.batch} on {profile.device}, each ± {profile.interval_pct:.0f} %"]
    if not all(one.latency.interval_holds for one in found):
        notes.append("(in brackets): outside the fitted range, where the interval does not hold")
    notes += [f"measured: here, {where}; off: predicted against measured"] if where else []
    notes += [line for doubt in doubts_of_all(found) for line in folded(doubt)]
    return Table(columns, rows, notes=notes, optional=("constant", "compute", "memory", "overhead"))


def _measured_cells(one: Predicted, first: Predicted, text: Callable[[float], str]) -> list[str]:
    if one.timed is None:
        return ["-", "-", "-"]
    ratio = ratio_of(one.timed.measured_ms, first.timed.measured_ms) if first.timed else None
    return [text(one.timed.measured_ms), _times(ratio), f"{one.error_pct:+.1f} %"]


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"x{ratio:.2f}"


def page_notes(found: Sequence[Predicted], profile: Profile) -> list[str]:
    """What a page says below its title."""
    fit = " ".join(profile_line(profile).split())
    noise = [f"{key}: {value}" for key, value in noise_lines([one.timed for one in found])]
    if len(found) > 1:
        return [fit, *(f"{one.label}: measured {_measured_text(one)}" for one in found if one.timed), *noise, *doubts_of_all(found)]
    one = found[0]
    return [fit, *([f"measured: {_measured_text(one)}"] if one.timed else []), *noise, *(f"{key}: {value}" for key, value in doubts(one))]
