"""`archspace devices`: the devices that latency is predicted for, one in full, and the user's own added and removed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any

import click
from click.core import ParameterSource

from archspace.cli.device import completed_device
from archspace.cli.findings import with_sentences
from archspace.cli.output import Table, emit, output_options
from archspace.errors import LawError
from archspace.latency import Device, Profile, add_device, listed_devices, load_profile, remove_device
from archspace.latency.catalog import own_folder
from archspace.latency.profile_json import profile_to_dict
from archspace.units import format_count, format_share

PAGE_WIDTH = 100  # characters: a line that reads well
OWN, SHIPPED, A_FILE = "own", "shipped", "file"
USAGE = "archspace devices [NAME|FILE], archspace devices add FILE, or archspace devices remove NAME"


@click.command("devices")
@click.argument("words", metavar="[NAME|FILE | add FILE | remove NAME]", nargs=-1, shell_complete=completed_device)
@click.option("--name", metavar="NAME", help="With add: what to call it.  [default: as the profile calls itself]")
@output_options
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], name: str | None, form: str, output: str | None, force: bool) -> None:
    """List the devices that latency is predicted for, with their error and where they come from, or show one in full.

    `add FILE` checks a profile and copies it, and the raw samples beside it, among your own, in the platform's user data directory (or
    devices/ in the directory that ARCHSPACE_DATA names); --force replaces one of that name, and lets it go before a shipped one.
    `remove NAME` deletes one of your own, with its samples.

    \b
    Example: archspace devices gtx1080ti
    """
    verb = words[0] if words and words[0] in ("add", "remove") else None
    if len(words) > (2 if verb else 1) or (verb and len(words) < 2):
        raise LawError(f"devices is called as {USAGE}, but got {len(words)} words: {' '.join(words)}")
    if name is not None and verb != "add":
        raise LawError("--name says what a device is to be called that add copies, but nothing is added. Drop it.")
    if verb:
        written = [option for option in ("form", "output") if ctx.get_parameter_source(option) is ParameterSource.COMMANDLINE]
        if written:
            raise LawError(f"{verb} writes no list, but --{'format' if 'form' in written else 'output'} asks for one. Drop it.")
        _change(verb, words[1], name, force)
        return
    width = get_terminal_size().columns if output is None and sys.stdout.isatty() else None
    if not words:
        found = listed_devices()
        emit(
            form,
            output,
            tables=lambda: [list_table(found, width)],
            data=lambda: {"schema": 1, "own_folder": str(own_folder()), "devices": [record(device) for device in found]},
            records=lambda: [record(device) for device in found],
            force=force,
        )
        return
    profile = load_profile(words[0])
    device = next((one for one in listed_devices() if one.name == words[0]), None)
    origin = _origin(device) if device else A_FILE
    path = str(device.path if device else words[0])
    emit(
        form,
        output,
        tables=lambda: page_tables(profile, origin + (", goes before the shipped one" if _shadows(device) else ""), path, width),
        data=lambda: {
            "schema": 1,
            "origin": origin,
            "shadows_shipped": _shadows(device),
            "path": path,
            "interval_pct": profile.interval_pct,
            "profile": profile_to_dict(profile),
        },
        records=lambda: [{"op_type": key, **asdict(row)} for key, row in profile.coefficients.items()],
        force=force,
    )


def _change(verb: str, word: str, name: str | None, force: bool) -> None:
    if verb == "add":
        asked = load_profile(Path(word)).samples
        added = add_device(word, name=name, force=force)
        click.echo(f"added {added.name}: {added.path}{_with_samples(added)}", err=True)
        if asked and added.samples is None:
            click.echo(f"warning: its raw samples, {asked}, do not lie beside {word}, and are not kept", err=True)
    else:
        device = next((one for one in listed_devices() if one.name == word), None)
        click.echo(f"removed {word}: {remove_device(word)}{_with_samples(device)}", err=True)


def _with_samples(device: Device | None) -> str:
    return f" and {device.samples}" if device is not None and device.samples is not None else ""


def record(device: Device) -> dict[str, Any]:
    """A device as JSON values; the keys are a contract, and more may be added.

    {"device": name, "origin": "shipped" | "own", "shadows_shipped": whether it is an own one that goes before a shipped one of its name,
     "path", "fault": "" or why the file is no profile; all that follows is null then: "title", "runtime", "threads", "batch", "dtype",
     "fusion", "mape_pct": error on unseen networks, "interval_pct": half the 80 % interval, "networks", "families": it was judged on,
     "provenance", "source"}
    """
    place = {"origin": _origin(device), "shadows_shipped": _shadows(device), "path": str(device.path)}
    of_profile = ("title", "runtime", "threads", "batch", "dtype", "fusion", "interval_pct", "provenance", "source")
    of_error = ("mape_pct", "networks", "families")
    said: dict[str, Any] = dict.fromkeys((*of_profile, *of_error))
    if profile := device.profile:
        said = {key: getattr(profile, key) for key in of_profile} | {key: getattr(profile.error, key) for key in of_error}
    return {"device": device.name, **place, "fault": device.fault, **said}


def _origin(device: Device) -> str:
    return OWN if device.is_own else SHIPPED


def _shadows(device: Device | None) -> bool:
    """Whether a device of the user's own goes before a shipped one of its name."""
    return device is not None and device.is_own and device.is_shipped


def list_table(found: Sequence[Device], width: int | None) -> Table:
    """One row per device; `width`: of the terminal, for the last column to be broken; None leaves it whole."""
    rows, sentences = [], []
    for device in found:
        profile = device.profile
        before = "goes before the shipped one: " if _shadows(device) else ""
        if profile is None:
            rows.append([device.name, *[""] * 6, _origin(device)])
            sentences.append(f"{before}broken: {device.fault}")
            continue
        error = [f"{profile.error.mape_pct:.1f} %", f"± {profile.interval_pct:.0f} %", str(profile.error.networks)]
        rows.append([device.name, profile.title, str(profile.batch), profile.dtype, *error, _origin(device)])
        sentences.append(before + _first_sentence(profile.provenance))
    columns = ("<device", "<title", "batch", "<dtype", "error", "80 %", "networks", "<origin")
    about = {
        "error": "error: in the mean, on networks that the fit had not seen",
        "80 %": "80 %: of networks like these lie within ±",
    }
    notes = [
        f"your own: {own_folder()}",
        "one in full: archspace devices NAME",
    ]
    table = Table(columns, rows, notes=notes, optional=("<title", "<dtype", "networks", "80 %", "batch"), about=about)
    return with_sentences(table, "provenance", sentences, width)


def _first_sentence(text: str) -> str:
    """Up to the first full stop that a space follows."""
    return text.partition(". ")[0]


def page_tables(profile: Profile, origin: str, path: str, width: int | None) -> list[Table]:
    """All of a profile: what it is of, its ranges and its error, the coefficients, where they come from."""
    room = min(width or PAGE_WIDTH, PAGE_WIDTH)
    error = profile.error
    facts = {
        "origin": origin,
        "runtime": profile.runtime,
        "batch": str(profile.batch),
        "dtype": profile.dtype,
        "threads": "not stated" if profile.threads is None else str(profile.threads),
        "fusion": profile.fusion,
        "constant": f"{profile.constant_ms:g} ms, {profile.ms_per_input_mpixel:g} ms per million input pixels",
        "error": f"{error.mape_pct:.1f} % in the mean ({error.method}: {error.networks} networks, {error.families} families); "
        f"{format_share(error.within_10_pct_share)} within 10 %, Kendall tau {error.kendall_tau:.2f}"
        + ("" if error.spearman is None else f", Spearman {error.spearman:.2f}"),
        "interval": f"± {profile.interval_pct:.1f} % holds 80 % of networks like these"
        + ("" if error.coverage_80_share is None else f"; judged unseen, such intervals held {format_share(error.coverage_80_share)}"),
        "fitted on": _ranges_text(profile),
    }
    facts |= _further(profile)
    facts |= {"provenance": profile.provenance, "source": profile.source}
    lines = [f"{'file':<14}{path}", *(line for key, text in facts.items() for line in _wrapped(key, text, room))]  # a path stays whole
    return [Table((), (), f"{profile.device}: {profile.title}", lines), _coefficient_table(profile)]


KNOWN = {
    *("device", "title", "runtime", "batch", "dtype", "threads", "fusion", "constant_ms", "ms_per_input_mpixel", "coefficients", "ranges"),
    *("error", "provenance", "source"),
}


def _further(profile: Profile) -> dict[str, str]:
    """Whatever else the profile states, under its key: vector width and the like."""
    named = {f.name: getattr(profile, f.name) for f in fields(profile) if f.name not in KNOWN}
    return {key.replace("_", " "): str(value) for key, value in named.items() if isinstance(value, str | int | float)}


def _ranges_text(profile: Profile) -> str:
    """'29 to 75 kernels, 37M to 591M madds': what the fit has seen, per image."""
    parts = []
    for key, value in asdict(profile.ranges).items():
        what = key.replace("_", " ")
        if isinstance(value, tuple) and len(value) == 2 and not isinstance(value[0], str):
            parts.append(f"{format_count(value[0])} to {format_count(value[1])} {what}")
        elif value:
            parts.append(f"{what} {', '.join(value)}")
    return ", ".join(parts) or "not stated"


def _wrapped(key: str, text: str, room: int) -> list[str]:
    """'key    text', the text broken into a column."""
    first, *more = wrap(text, room - 14, break_on_hyphens=False, break_long_words=False) or [""]
    return [f"{key:<14}{first}", *(f"{'':14}{line}" for line in more)]


def _coefficient_table(profile: Profile) -> Table:
    """A row per op type, a column per coefficient that some row has."""
    rows = {key: asdict(row) for key, row in profile.coefficients.items()}
    used = [name for name in next(iter(rows.values())) if any(row[name] for row in rows.values())]
    cells = [[key, *(f"{row[name]:.4g}" if row[name] else "-" for name in used)] for key, row in rows.items()]
    notes = ["us per kernel; ms per 1e9 multiply-adds, and per 1e9 bytes in, out and of weights", "default: op types without a row"]
    return Table(("<coefficients", *(name.replace("_", " ") for name in used)), cells, notes=notes)
