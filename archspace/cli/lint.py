"""`archspace lint`: which design rules a network breaks, and what that costs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import get_terminal_size

import click

from archspace import __version__
from archspace.cli.device import device_option
from archspace.cli.findings import DEVICE_RULES, lint_tables
from archspace.cli.models import FAMILY_OPTIONS, load_model, split_words
from archspace.cli.output import emit
from archspace.cli.request import Request, request_options
from archspace.errors import LawError, UnknownNameError
from archspace.files import check_writable, what_is_at, write_text
from archspace.ir.graph import Graph
from archspace.latency import Profile, load_profile
from archspace.rules import RULES, SEVERITIES, Lint, lint
from archspace.rules.formats import Source, around, github_lines, sarif
from archspace.rules.selection import selected
from archspace.settings import Settings, load_settings

FORMATS = ("table", "json", "csv", "sarif", "github")
NEVER = "never"
FAIL_ON = (*SEVERITIES, NEVER)


@dataclass(frozen=True, slots=True)
class Demand:
    """What a lint asks: the rules, their thresholds, and the device that waste is priced on."""

    codes: tuple[str, ...]
    thresholds: Mapping[str, Mapping[str, float]]
    profile: Profile | None
    settings: Settings

    @classmethod
    def read(cls, select: str | None, ignore: str | None, device: str | None, settings: Settings) -> Demand:
        """What the command line says, and the project's settings where it is silent.

        Raises UnknownNameError or LawError for the command line's values and FileError for those of the settings.
        """
        codes = tuple(RULES)
        wanted = _prefixes(select, "--select")
        unwanted = _prefixes(ignore, "--ignore")
        selected(codes, wanted or (), unwanted or ())
        with settings.blamed("select"):
            selected(codes, settings.select)
        with settings.blamed("ignore"):
            selected(codes, ignore=settings.ignore)
        for code, values in settings.thresholds.items():
            with settings.blamed("thresholds"):
                if code not in RULES:
                    raise UnknownNameError("rule", code, RULES)
                RULES[code].limits(values)
        left = selected(codes, settings.select if wanted is None else wanted, settings.ignore if unwanted is None else unwanted)
        if device is None and settings.device is not None:
            with settings.blamed("device"):
                profile: Profile | None = load_profile(settings.device)
        else:
            profile = None if device is None else load_profile(device)
        if not left:
            raise LawError("a lint asks at least one rule, but what is ignored leaves none of what is selected. Ignore less.")
        if profile is None and all(code.startswith(DEVICE_RULES) for code in left):
            raise LawError(f"{', '.join(left)} needs a device, but none is given. Add --device gtx1080ti")
        return cls(left, settings.thresholds, profile, settings)

    def of(self, graph: Graph) -> Lint:
        """The findings of a network."""
        return lint(graph, select=self.codes, device=self.profile, thresholds=self.thresholds)

    def notes(self) -> list[str]:
        """What people must know to read the numbers."""
        notes = [f"ms: one batch of {self.profile.batch} on {self.profile.device}"] if self.profile else []
        if self.profile is None and any(code.startswith(DEVICE_RULES) for code in self.codes):
            codes = [code for code in self.codes if code.startswith(DEVICE_RULES)]
            notes.append(f"not asked without --device: {', '.join(codes)}")
        if self.settings.path is not None:
            notes.append(f"defaults: [tool.archspace] of {self.settings.path}")
        return notes


@click.command("lint", context_settings=FAMILY_OPTIONS)
@click.argument("words", metavar="MODEL [MODEL OPTIONS]", nargs=-1, type=click.UNPROCESSED)
@click.option("--select", metavar="CODES", help="Ask these rules alone: codes or their beginnings, as in G1,S.  [default: all]")
@click.option("--ignore", metavar="CODES", help="Leave these rules out: G401, or G4 for all that begin so.")
@request_options
@device_option
@click.option("--fail-on", type=click.Choice(FAIL_ON), help="Exit code 1 on findings this serious or worse.  [default: warning]")
@click.option("--full", is_flag=True, help="One row per finding in the table, not per block and rule.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True, help="Output format.")
@click.option("-o", "--output", type=click.Path(), help="Write to this file instead of stdout.")
@click.option("--force", is_flag=True, help="Overwrite the output file.")
def command(
    words: tuple[str, ...],
    select: str | None,
    ignore: str | None,
    request: Request,
    device: str | None,
    fail_on: str | None,
    full: bool,
    form: str,
    output: str | None,
    force: bool,
) -> int:
    """Hold a network against the design rules: what it wastes, where, and what to do instead.

    MODEL is a zoo name with its options, a spec like shufflenet_v1@g=8,width=0.5, or a JSON file. `archspace rule` lists the rules.
    [tool.archspace] in pyproject.toml gives defaults: select, ignore, fail-on, device, thresholds.

    \b
    Example: archspace lint shufflenet_v1 --g 8 --device gtx1080ti
    """
    names, options = split_words(words)
    if len(names) != 1:
        raise LawError(
            f"lint takes one MODEL, but got {len(names)}: {' '.join(names) or 'none'}. For several use: archspace compare --rules"
        )
    if output is not None:
        check_writable(output, force=force)
    settings = load_settings()
    least = fail_on or settled_fail_on(settings)
    demand = Demand.read(select, ignore, device, settings)
    found = demand.of(load_model(names[0], options, request))
    source = Source.read(names[0]) if form in ("sarif", "github") and what_is_at(names[0]) == "file" else None
    if form == "github":
        _write_lines(github_lines(found, source), output, force)
    else:
        width = get_terminal_size().columns if output is None and sys.stdout.isatty() else None
        notes = [*demand.notes(), *found.caveats, *([around(found)] if found.opaque else [])]
        emit(
            "json" if form == "sarif" else form,
            output,
            tables=lambda: lint_tables(found, full=full, width=width, notes=notes),
            data=lambda: sarif(found, __version__, source) if form == "sarif" else found.to_dict(),
            records=lambda: [asdict(finding) for finding in found.findings],
            force=force,
        )
    return 1 if least != NEVER and found.at_least(least) else 0


def settled_fail_on(settings: Settings) -> str:
    """From which severity on findings fail, by the settings. Raises UnknownNameError, with file and key, for an unknown word."""
    if settings.fail_on is not None and settings.fail_on not in FAIL_ON:
        with settings.blamed("fail_on"):
            raise UnknownNameError("severity", settings.fail_on, FAIL_ON)
    return settings.fail_on or "warning"


def _prefixes(text: str | None, option: str) -> list[str] | None:
    """The codes of an option; None when it is not given."""
    if text is None:
        return None
    prefixes = [part.strip() for part in text.split(",") if part.strip()]
    if not prefixes:
        raise LawError(f"{option} takes rule codes or their beginnings, but got {text!r}. Example: {option} G1,S")
    return prefixes


def _write_lines(lines: Sequence[str], output: str | None, force: bool) -> None:
    text = "".join(f"{line}\n" for line in lines)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(Path(output), text, force=force)
        click.echo(f"wrote {output}", err=True)
