"""`archspace study`: studies that were run, listed, shown, exported, tidied and reported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archspace.cli.output import Table, emit, output_options
from archspace.cli.storage import storage_option
from archspace.cli.winners import flat_rows, nearest_text, ranked, winners_table
from archspace.errors import LawError, StudyError

if TYPE_CHECKING:
    from archspace.study import StoredStudy

EXPORTS = {".csv": "csv", ".json": "json", ".parquet": "parquet"}
STUDY = "STUDY is the folder that a search wrote, or with --storage the name of a study in that database."


@click.group("study")
def command() -> None:
    """Look at studies: those in folders, and those in a database (--storage).

    \b
    Example: archspace study best runs/shufflenet_v2
    """


@command.command("list")
@click.argument("folder", type=click.Path(), default="runs")
@storage_option
@output_options
def list_command(folder: str, storage: str | None, form: str, output: str | None, force: bool) -> int:
    """List the studies under a folder, or in a database."""
    from archspace.study import stored_studies

    found = list(stored_studies(folder, storage))
    readable = [study for study in found if not isinstance(study, StudyError)]
    broken = [str(study) for study in found if isinstance(study, StudyError)]
    where = storage_shown(storage) or folder
    if not found:
        way = (
            "A search writes to runs/SPACE unless -o says otherwise." if storage is None else "A search with this --storage puts one there."
        )
        raise StudyError(f"{where}: holds no study. {way}")
    emit(
        form,
        output,
        tables=lambda: [_list_table(readable, broken, where)],
        data=lambda: {"schema": 1, "studies": [_summary(study) for study in readable], "unreadable": broken},
        records=lambda: [_summary(study) for study in readable],
        force=force,
    )
    return 0


@command.command("show")
@click.argument("study")
@storage_option
@output_options
def show_command(study: str, storage: str | None, form: str, output: str | None, force: bool) -> int:
    """Show what a study asks, how far it is, who works on it, and its best candidates."""
    from archspace.study import read_study

    found = read_study(study, storage)
    rows = ranked(found.result)
    emit(
        form,
        output,
        tables=lambda: [_state_table(found), winners_table(found.result, rows, shown=5)],
        data=lambda: {"schema": 1, **_summary(found), "question": found.result.question.to_dict(), "winners": rows},
        records=lambda: [_summary(found)],
        force=force,
    )
    return 0


@command.command("best")
@click.argument("study")
@click.option("-n", "--number", type=click.IntRange(min=1), default=15, show_default=True, help="How many of the front.")
@storage_option
@output_options
def best_command(study: str, number: int, storage: str | None, form: str, output: str | None, force: bool) -> int:
    """The Pareto front of a study: every candidate inside every bound, checked again. Exit code 1 when there is none."""
    from archspace.results.trust import trust_notes
    from archspace.study import read_study

    found = read_study(study, storage)
    rows = ranked(found.result)
    emit(
        form,
        output,
        tables=lambda: [winners_table(found.result, rows, shown=number)],
        data=lambda: {"schema": 1, "study": found.name, "notes": trust_notes(found.result), "winners": rows[:number]},
        records=lambda: flat_rows(rows[:number]),
        force=force,
    )
    if not rows:
        click.echo(f"no candidate meets the budget. {nearest_text(found.result)}", err=True)
    return 0 if rows else 1


@command.command("export")
@click.argument("study")
@click.option("-o", "--output", required=True, type=click.Path(), help="The file: .csv, .json or .parquet.")
@click.option("--force", is_flag=True, help="Overwrite the output file.")
@storage_option
def export_command(study: str, output: str, force: bool, storage: str | None) -> int:
    """Write every candidate of a study to a table: CSV, JSON or Parquet, by the file's ending."""
    suffix = Path(output).suffix.lower()
    if suffix not in EXPORTS:
        raise LawError(f"-o must end in {', '.join(EXPORTS)}, but got {output}")
    from archspace.results import export_records
    from archspace.study import read_study

    found = read_study(study, storage)
    export_records(found.result, output, force=force)
    click.echo(f"wrote {output}: {len(found.result.records)} candidates", err=True)
    return 0


@command.command("report")
@click.argument("study")
@click.option("-o", "--output", type=click.Path(), help="The HTML file.  [default: report.html in the study's folder]")
@click.option("--force", is_flag=True, help="Overwrite the output file.")
@storage_option
def report_command(study: str, output: str | None, force: bool, storage: str | None) -> int:
    """Write the study's page: one HTML file with the Pareto front, parallel coordinates, importances, history and winners."""
    from archspace.files import check_writable
    from archspace.results import study_report
    from archspace.study import read_study

    found = read_study(study, storage)
    if output is None and not found.result.directory.is_dir():
        raise LawError(f"study {found.name} has no folder here to put its report in. Say where with -o report.html")
    path = check_writable(output, force=force) if output is not None else found.result.directory / "report.html"
    study_report(found.result, path)
    click.echo(f"wrote {path}", err=True)
    return 0


@command.command("prune")
@click.argument("study")
@click.option("--delete", is_flag=True, help="Delete the whole study; needs --force.")
@click.option("--force", is_flag=True, help="Delete without asking.")
@storage_option
def prune_command(study: str, delete: bool, force: bool, storage: str | None) -> int:
    """Tidy a study: cut a torn journal and a left lock, give up trials of dead workers; or delete it."""
    from archspace.study.tidying import delete_study, tidied

    if delete and not force:
        raise LawError(f"--delete removes the study {study} with all its trials and files. Add --force if that is meant.")
    done = delete_study(study, storage) if delete else tidied(study, storage)
    for line in done or ["nothing to tidy"]:
        click.echo(line, err=True)
    return 0


def storage_shown(storage: str | None) -> str:
    """A storage as it may be printed: without its password."""
    if storage is None:
        return ""
    from archspace.study.address import storage_name

    return storage_name(storage)


def _summary(study: StoredStudy) -> dict[str, Any]:
    result = study.result
    question = result.question
    name = next(iter(question.objectives))
    winners = result.winners
    return {
        "study": study.name,
        "place": study.place,
        "space": question.space.name,
        "asks": str(question),
        "sampler": question.sampler,
        "seed": question.seed,
        "version": study.version,
        "trials": len(result.records),
        "feasible": result.feasible,
        "failed": sum(not record.metrics for record in result.records),
        "networks": len({record.digest for record in result.records if record.digest}),
        "front": len(winners),
        "objective": name,
        "best": winners[0].metrics[name] if winners else None,
        "running": len(study.running),
        "waiting": study.waiting,
    }


def _list_table(studies: list[StoredStudy], broken: list[str], where: str) -> Table:
    from archspace.objectives import metric_text, notes_on

    rows = []
    for study in studies:
        summary = _summary(study)
        best = "-" if summary["best"] is None else f"{metric_text(summary['objective'], summary['best'])} {summary['objective']}"
        name = study.name if study.place == where else str(study.result.directory)
        rows.append([name, str(summary["trials"]), str(summary["feasible"]), best, summary["asks"]])
    notes = notes_on(dict.fromkeys(next(iter(study.result.question.objectives)) for study in studies))
    notes += [f"cannot be read: {text}" for text in broken]
    return Table(("<study", "trials", "feasible", "<best", "<asks"), rows, f"studies in {where}", notes, optional=("<asks",))


def _state_table(study: StoredStudy) -> Table:
    from archspace.report.tables import options_text

    summary, question = _summary(study), study.result.question
    varying = ", ".join(parameter.name for parameter in question.space.parameters)
    counts = [f"{summary['feasible']} within the budget", f"{summary['failed']} failed", f"{summary['networks']} networks"]
    rows = [
        ["asks", str(question)],
        ["space", f"{question.space.name} ({question.space.family}): {varying}"],
        ["fixed", options_text(question.space.constants) or "nothing"],
        ["sampler", f"{question.sampler}, seed {question.seed}, {question.in_flight} in flight"],
        ["device", f"{question.device} (profile {question.device_id()})" if question.device else "none"],
        ["archspace", study.version],
        ["trials", f"{summary['trials']}: {', '.join(counts)}"],
    ]
    if study.running or study.waiting:
        now = ", ".join(f"{trial.number} ({trial.worker or 'nobody yet'})" for trial in study.running)
        rows.append(["running", f"{now or 'none'}; {study.waiting} waiting to be tried again"])
    if study.result.traceback:
        rows.append(["first error", study.result.traceback.strip().splitlines()[-1]])
    return Table(("<", "<"), rows, f"study {study.name} in {study.place}")
