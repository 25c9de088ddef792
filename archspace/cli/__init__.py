"""The command line: one group, one module per verb, exit codes 0 (fine), 1 (judged unfit) and 2 (wrong usage or input)."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from archspace import __version__
from archspace.errors import ArchspaceError, UnknownNameError

# verb -> the line that `archspace --help` shows; the module of the same name holds `command`.
VERBS: dict[str, str] = {
    "analyze": "Count what a network costs: multiply-adds, memory access, structure.",
    "compare": "Put networks side by side, with ratios to the first.",
    "lint": "Hold a network against the design rules: what it wastes, and what to do instead.",
    "rule": "List the design rules, or print the manual page of one.",
    "check": "Hold a network against bounds and rules; a gate for CI.",
    "latency": "Predict how long a network takes on a device: per block and op, and why.",
    "prior": "Say what published results suggest of a network's ImageNet error: a prior with its interval.",
    "devices": "List the devices that latency is predicted for, show one, add and remove your own.",
    "reuse": "Count the channels that blocks hand on to later blocks unchanged.",
    "zoo": "List families and published members, or the options of one family.",
    "space": "Show what a design space holds, or compare several.",
    "search": "Search a design space under a budget; resumable.",
    "study": "List, show, export, report and tidy the studies that searches left.",
    "worker": "Join a search that other machines share.",
    "improve": "Search around a network for what is better, and show what changed and what it gained.",
    "build": "Build a network as a PyTorch module, check it and save it.",
    "calibrate": "Measure this machine for a minute and fit its latency profile.",
    "measure": "Time networks on this machine, side by side, with the noise floor.",
    "experiment": "Repeat a timing experiment of the ShuffleNet v2 paper on this machine.",
    "deploy": "Fold, freeze and merge what a trained network does not need at inference; counted before and after.",
}


class VerbGroup(click.Group):
    """A group that imports a verb's module only when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"archspace.cli.{cmd_name}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise UnknownNameError("verb", args[0], VERBS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, "-V", "--version", prog_name="archspace", message="%(prog)s %(version)s")
def cli() -> None:
    """Analyse efficient networks without weights, search their design space under a budget, build the winner.

    \b
    Example: archspace analyze shufflenet_v1 --g 8
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Errors that a user can mend are one line on stderr."""
    stdout = sys.stdout
    try:
        code = cli.main(args=list(argv) if argv is not None else None, prog_name="archspace", standalone_mode=False)
        sys.stdout.flush()
    except ArchspaceError as error:
        return _fail(str(error))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        place = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "archspace"
        return _fail(f"{error.format_message()} See: {place} --help")
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted")
    except SystemExit as error:
        # click's own exits: shell completion, and a reader of our output that went away (`| head`), which is no error; there it
        # wraps stdout and stderr.
        return 0 if sys.stdout is not stdout or error.code is None else int(error.code)
    except OSError as error:
        # Let what is still buffered go nowhere: Python would complain about it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
        return 0 if error.errno == errno.EPIPE else _fail(f"the output cannot be written: {error.strerror}")
    return code if isinstance(code, int) else 0


def _fail(message: str) -> int:
    click.echo(f"archspace: {' '.join(message.split())}", err=True)
    return 2
