"""What an experiment is shown as: rows beside the paper's, ratios over all columns, verdicts in words, panels of a page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from archspace.cli.measure import CLOCKS
from archspace.cli.output import Table
from archspace.report.panels import Bars, Panel
from archspace.units import format_count, format_size

if TYPE_CHECKING:
    from archspace.timing.agreement import Tally
    from archspace.timing.experiments import Experiment
    from archspace.timing.outcome import Cell, Outcome, Timed, Verdict

PAPER = {"arm": "Snapdragon 810", "gpu": "GTX 1080 Ti"}
RATIO = "ratio: of times, to the column's first row"
PRINTED = f"ARM, GPU: the paper's, one thread of a {PAPER['arm']} and a {PAPER['gpu']}"
MEMORY = "memory: of memory access, to the column's first row"
NOISE = "noise: of a column's rounds; what differs by less does not differ"
UNITS = {"arm": "images/s", "gpu": "batches/s"}


def list_table(experiments: Iterable[Experiment]) -> Table:
    """The experiments that there are."""
    rows = [[one.name, one.table, one.title, one.claim, str(len(one.rows)), f"{len(one.scales) * len(one.sizes)}"] for one in experiments]
    notes = ["run one: archspace experiment NAME"]
    return Table(
        ("<experiment", "<table", "<what", "<the paper's claim", "rows", "columns"),
        rows,
        notes=notes,
        optional=("<the paper's claim", "<table"),
    )


def tables(outcome: Outcome) -> list[Table]:
    """The rows, their mean ratios where there are several columns, and the verdicts."""
    found = [rows_table(outcome)]
    if len(outcome.columns) > 1:
        found.append(means_table(outcome))
    return [*found, Table((), (), notes=[line for verdict in outcome.verdicts for line in verdict_lines(outcome, verdict)])]


def rows_table(outcome: Outcome) -> Table:
    """A line per network and backend, a blank one between columns; the paper's numbers of the same place on both platforms."""
    first = outcome.columns[0].cells[0].measured
    several = len(outcome.verdicts) > 1
    speed = "images/s" if first.on == "cpu" else "batches/s"
    backend = ("<backend",) if several else ()
    columns = ("<scale", "<input", "<row", "<network", *backend, "madds", "memory", speed, "ms", "noise", "ratio", *_paper_columns())
    rows: list[list[str]] = []
    for timed in outcome.columns:
        rows += [[""] * len(columns)] if rows else []
        rows += [_row(timed, cell, several, is_first=i == 0) for i, cell in enumerate(timed.cells)]
    one = outcome.experiment
    paper = [f"{platform.upper()} {unit}" for platform, unit in UNITS.items()]
    other = next(platform for platform in UNITS if platform != outcome.paper)
    optional = ("<network", *paper, "memory", "noise", "<input", speed, "madds", f"{other.upper()} ratio", "<scale")
    about = {"ratio": RATIO, f"{outcome.paper.upper()} ratio": PRINTED, "memory": MEMORY, "noise": NOISE}
    return Table(columns, rows, f"{one.title} (ShuffleNet v2, {one.table})", notes(outcome), optional, about)


def _paper_columns() -> list[str]:
    return [name for platform, unit in UNITS.items() for name in (f"{platform.upper()} {unit}", f"{platform.upper()} ratio")]


def _row(timed: Timed, cell: Cell, several: bool, *, is_first: bool) -> list[str]:
    row, base = cell.measured, timed.cells[0]
    place = [timed.column.scale, format_size(*timed.column.size)] if is_first else ["", ""]
    printed = [text for p in UNITS for text in (f"{cell.printed[p]:g}", f"x{cell.printed_ratio[p]:.2f}")]
    return [
        *place,
        cell.row,
        cell.network,
        *([row.backend] if several else []),
        format_count(cell.madds),
        f"x{cell.mem_elems / base.mem_elems:.2f}",
        f"{cell.speed:.4g}",
        f"{row.measured_ms:.4g}",
        f"{timed.noise_pct:.1f} %" if is_first else "",
        "-" if cell.ratio is None else f"x{cell.ratio:.2f}",
        *printed,
    ]


def notes(outcome: Outcome) -> list[str]:
    """The conditions, how far to trust the times, and what keeps the numbers from being the paper's."""
    noise = max(timed.noise_pct for timed in outcome.columns)
    most = "at most " if len(outcome.columns) > 1 else ""
    floor = f"noise floor {most}{noise:.1f} % (odd against even rounds of this run; another run may lie a few percent off)"
    return [floor, _conditions(outcome), *_provisos(outcome)]


def page_notes(outcome: Outcome) -> list[str]:
    """The same for a page, with the verdicts in front."""
    return [*(line for verdict in outcome.verdicts for line in verdict_lines(outcome, verdict)), RATIO, PRINTED, *notes(outcome)]


def _conditions(outcome: Outcome) -> str:
    row = outcome.columns[0].cells[0].measured
    threads = f", {row.threads} thread{'s' if row.threads > 1 else ''}" if row.on == "cpu" else ""
    cells = [cell.measured for timed in outcome.columns for cell in timed.cells]
    runtimes = ", ".join(dict.fromkeys(f"{one.backend} ({one.runtime})" for one in cells))
    batches = " or ".join(map(str, dict.fromkeys(one.batch for one in cells)))
    clocks = " or ".join(dict.fromkeys(CLOCKS[one.clock] for one in cells))
    busy = [one.busy_pct for one in cells if one.busy_pct is not None]
    others = f", others used up to {max(busy):.0f} % of the machine" if busy else ""
    return f"{row.device}{threads}, {runtimes}, {row.dtype}, batch {batches}; {clocks}; {row.rounds} rounds{others}"


def _provisos(outcome: Outcome) -> list[str]:
    one = outcome.experiment
    differ = max(timed.madds_differ_pct for timed in outcome.columns)
    lines = [f"multiply-adds inside a column differ by at most {differ:.1f} % ({_why(one)})"]
    other = next(platform for platform in UNITS if platform != outcome.paper)
    entries = [entry for timed in outcome.columns for entry in timed.column.entries]
    if any(entry.networks[other] != entry.network for entry in entries):
        pair = next(entry for entry in entries if entry.networks[other] != entry.network)
        lines.append(
            f"the channels are those that the paper gave the {outcome.paper.upper()}: where {pair.network} stands, "
            f"{other.upper()} has {pair.networks[other]}"
        )
    batches = {entry.batch for entry in entries}
    taken = {cell.measured.batch for timed in outcome.columns for cell in timed.cells}
    if taken != batches:
        lines.append(f"the batch is {_either(taken)} here, and {_either(batches)} in the paper")
    if outcome.left_out:
        names = ", ".join(dict.fromkeys(format_size(*column.size) for column in outcome.left_out))
        lines.append(f"left out, as it takes long on a CPU: {names}. --full runs it.")
    return lines


def _why(one: Experiment) -> str:
    return "the levels are the paper's" if one.name == "resolutions" else "channels are whole numbers"


def _either(numbers: Iterable[int]) -> str:
    return " or ".join(map(str, sorted(numbers)))


def means_table(outcome: Outcome) -> Table:
    """Each row's ratio over all columns, here with each backend and in the paper."""
    here = [f"{verdict.backend} here" for verdict in outcome.verdicts]
    rows = []
    for row in outcome.experiment.rows:
        measured = [verdict.ratios["here"].get(row) for verdict in outcome.verdicts]
        printed = [outcome.verdicts[0].ratios[platform].get(row) for platform in UNITS]
        rows.append([row, *("-" if value is None else f"x{value:.2f}" for value in (*measured, *printed))])
    columns = ("<row", *here, *(platform.upper() for platform in UNITS))
    return Table(columns, rows, title=f"ratios, the geometric mean over {len(outcome.columns)} columns")


def verdict_lines(outcome: Outcome, verdict: Verdict) -> list[str]:
    """What became of the claim, in plain words."""
    here = verdict.here
    printed = " and ".join(f"{of.held} of {of.pairs} on the {PAPER[platform]}" for platform, of in verdict.paper.items())
    lines = [f"{verdict.backend}: that {outcome.experiment.claim} {here.word} on this machine. {_counted(here)}. In the paper: {printed}"]
    if verdict.per_madd != here:
        lines.append(f"{verdict.backend}: by the time of one multiply-add it {verdict.per_madd.word}. {_counted(verdict.per_madd)}")
    agreement = " and ".join(f"{tau:.2f} with the {PAPER[platform]}" for platform, tau in verdict.agreement.items() if tau is not None)
    if agreement:
        lines.append(
            f"{verdict.backend}: the order of all rows agrees by {agreement} (Kendall's tau-b inside columns; 1: the same, -1: the reverse)"
        )
    return lines


def _counted(tally: Tally) -> str:
    """'15 of 18 comparisons hold, 1 is within the noise, 2 are the other way round'."""
    rest = [(tally.tied, "within the noise"), (tally.broken, "the other way round")]
    parts = [f"{number} {'is' if number == 1 else 'are'} {words}" for number, words in rest if number]
    return ", ".join([f"{tally.held} of {tally.pairs} comparisons hold", *parts])


def panels(outcome: Outcome) -> list[Panel]:
    """The columns as panels of bars: here with each backend, then the paper's."""
    several = len(outcome.verdicts) > 1
    found = []
    for timed in outcome.columns:
        bars = []
        for verdict in outcome.verdicts:
            cells = {cell.row: cell for cell in timed.of(verdict.backend)}
            name = f"this machine, {verdict.backend}" if several else "this machine"
            hover = [_hover(cells.get(row)) for row in outcome.experiment.rows]
            bars.append(Bars(name, [cells[row].ratio if row in cells else None for row in outcome.experiment.rows], hover))
        entries = timed.column.entries
        for platform, unit in UNITS.items():
            speeds = [entry.printed[platform].speed for entry in entries]
            hover = [f"{entry.networks[platform]}: {speed:g} {unit}" for entry, speed in zip(entries, speeds, strict=True)]
            bars.append(Bars(f"paper, {PAPER[platform]}", [speeds[0] / speed for speed in speeds], hover))
        place = f"{timed.column.scale}, {format_size(*timed.column.size)}"
        found.append(Panel(f"{place} (noise {timed.noise_pct:.1f} %)", outcome.experiment.rows, bars))
    return found


def _hover(cell: Cell | None) -> str:
    if cell is None:
        return ""
    row = cell.measured
    return f"{cell.network}: {row.measured_ms:.4g} ms, {format_count(cell.madds)} multiply-adds, spread {row.spread_pct:.1f} %"
