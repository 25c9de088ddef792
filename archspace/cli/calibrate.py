"""`archspace calibrate`: a latency profile of this machine."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archspace.cli.measure import BACKENDS, progress_bar
from archspace.cli.output import Table, emit
from archspace.errors import LawError, MissingPackageError
from archspace.latency.profile_json import profile_to_dict

if TYPE_CHECKING:
    from archspace.latency.judge import Judged
    from archspace.timing.calibrating import Calibrated


@click.command("calibrate")
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(), required=True, help="The profile, a .json; its samples beside it, a .csv."
)
@click.option("--backend", type=click.Choice(BACKENDS), default="folded", show_default=True, help="What runs the networks.")
@click.option("--on", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where.")
@click.option("--batch", "batches", metavar="N[,N...]", default="1", show_default=True, help="Batch sizes; the first is the profile's own.")
@click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True, help="Threads within an op, on the CPU.")
@click.option("--thorough", is_flag=True, help="180 op benchmarks and 20 networks in place of 129 and 8: twice as long.")
@click.option("--force", is_flag=True, help="Begin anew where a profile of that name is.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True, help="Output format.")
def command(output: str, backend: str, on: str, batches: str, threads: int, thorough: bool, force: bool, form: str) -> int:
    """Measure this machine for about a minute and fit a latency profile, for --device here and in every other verb.

    Eight networks run in interleaved rounds, then single ops on buffers that take turns; an interrupted calibration keeps every round
    and op that was done, and the same command goes on from there. The error is that of networks whose family the fit has not seen,
    beside what simpler models reach, and the noise floor says how far the machine itself repeats. torch.compile compiles every op and
    takes some ten minutes.

    \b
    Example: archspace calibrate -o my_cpu.json --backend onnxruntime && archspace latency shufflenet_v2 --device my_cpu.json
    """
    sizes = _batches(batches)
    try:
        from archspace.timing import calibrate, keep_pages
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "torch", "measure") from None

    keep_pages()
    try:
        with warnings.catch_warnings(record=True) as caught, progress_bar("calibrate") as report:
            warnings.simplefilter("always")
            made = calibrate(
                output, backend=backend, on=on, batches=sizes, threads=threads, thorough=thorough, force=force, progress=report
            )
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "scipy", "measure") from None
    except KeyboardInterrupt:
        click.echo(f"archspace: interrupted: {_left(Path(output))}", err=True)
        return 2
    said = [str(one.message) for one in caught if issubclass(one.category, UserWarning)]
    emit(form, None, tables=lambda: [_errors(made), _networks(made)], data=lambda: _data(made, said), records=lambda: _records(made))
    for line in said:
        click.echo(f"warning: {line}", err=True)
    if made.resumed or made.resumed_rounds:
        counts = ((made.resumed, "sample", ""), (made.resumed_rounds, "round", " of the networks"))
        told = [f"{count} {word}{'s' if count > 1 else ''}{of}" for count, word, of in counts if count]
        click.echo(f"went on from {' and '.join(told)}", err=True)
    path, raw = made.files
    click.echo(f"wrote {path} and {raw}. Use it: --device {path}; by its name everywhere: archspace devices add {path}", err=True)
    return 0


def _left(path: Path) -> str:
    """What an interrupted calibration left, in words; a profile that is there still is an older one's, which nothing has replaced yet."""
    from archspace.timing.calibrating import kept

    found = "" if path.exists() else kept(path)
    if not found:
        return "nothing was timed yet. The same command begins again."
    return f"{path.with_suffix('.csv')} keeps {found}. The same command goes on from there."


def _batches(words: str) -> tuple[int, ...]:
    try:
        sizes = tuple([int(word) for word in words.split(",")])
    except ValueError:
        raise LawError(f"--batch takes whole numbers, as 1 or 1,8,32, but got {words!r}") from None
    if any(size < 1 for size in sizes):
        raise LawError(f"a batch must have at least 1 image, but got {words!r}")
    return sizes


def _errors(made: Calibrated) -> Table:
    def row(name: str, judged: Judged) -> list[str]:
        within = f"{judged.within_10_pct_share:.0%}"
        return [name, f"{judged.mape_pct:.1f} %", within, f"{judged.spearman:.2f}", f"{judged.kendall_tau:.2f}"]

    fit, profile = made.fit, made.profile
    rows = [row(f"{profile.device}", fit.unseen), row("op benchmarks alone", fit.ops_alone)]
    rows += [row(name, judged) for name, judged in fit.baselines.items()]
    notes = [
        f"networks of families that the fit has not seen: {fit.unseen.networks} networks, {fit.unseen.families} families",
        f"80 % interval ± {fit.interval_80_pct:.1f} %, covers {fit.coverage_80_share:.0%} of them when it comes from the other families",
        f"noise floor {made.noise_pct:.1f} % (odd against even rounds): no error below it means anything",
        f"{profile.title}; {profile.runtime}; batch {profile.batch}",
        profile.provenance,
    ]
    return Table(("<model", "MAPE", "within 10 %", "Spearman", "Kendall tau"), rows, notes=notes)


def _networks(made: Calibrated) -> Table:
    rows = [
        [name, f"{ms / (1 + pct / 100):.4g}", f"{ms:.4g}", f"{pct:+.1f} %"]
        for (name, ms), pct in zip(made.fit.predicted_ms.items(), made.fit.residuals_pct.values(), strict=True)
    ]
    return Table(("<network", "measured ms", "predicted unseen", "off"), rows)


def _data(made: Calibrated, said: list[str]) -> dict[str, Any]:
    return {
        "schema": 1,
        "profile": profile_to_dict(made.profile),
        "noise_pct": made.noise_pct,
        "mape_pct": {
            "fitted": made.fit.unseen.mape_pct,
            "op benchmarks alone": made.fit.ops_alone.mape_pct,
            **{name: judged.mape_pct for name, judged in made.fit.baselines.items()},
        },
        "networks": _records(made),
        "files": [str(path) for path in made.files],
        "resumed": made.resumed,
        "resumed_rounds": made.resumed_rounds,
        "warnings": said,
    }


def _records(made: Calibrated) -> list[dict[str, Any]]:
    return [
        {"network": name, "measured_ms": ms / (1 + pct / 100), "predicted_ms": ms, "error_pct": pct}
        for (name, ms), pct in zip(made.fit.predicted_ms.items(), made.fit.residuals_pct.values(), strict=True)
    ]
