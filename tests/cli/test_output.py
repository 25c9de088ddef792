"""The command line as a program: version, help, completion, pipes, tables."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspace import __version__
from archspace.cli import VERBS
from archspace.cli.output import Table, csv_text, fitted, table_text

Archspace = Callable[..., Any]
ROOT = Path(__file__).parents[2]
PROGRAM = f"{sys.executable} -m archspace"


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """One line of a shell, `archspace` standing for the program, pipes failing where any part does."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line.replace("archspace ", f"{PROGRAM} ")],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_is_printed(flag: str, archspace: Archspace) -> None:
    assert archspace(flag) == (0, f"archspace {__version__}\n", "")


def test_python_m_archspace_is_the_same_program() -> None:
    done = shell("archspace --version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"archspace {__version__}\n", "")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_the_groups_help_lists_every_verb_with_an_example(flag: str, archspace: Archspace) -> None:
    code, out, err = archspace(flag)
    assert (code, err) == (0, "")
    assert "Example: archspace analyze shufflenet_v1 --g 8" in out
    assert [verb for verb in VERBS if f"  {verb} " not in out] == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_verbs_help_has_one_real_example_of_itself(verb: str, archspace: Archspace) -> None:
    code, out, err = archspace(verb, "--help")
    assert (code, err) == (0, "")
    assert out.count("Example:") == 1
    assert f"Example: archspace {verb} " in out
    assert archspace(verb, "-h") == (code, out, err)


def test_no_verb_at_all_shows_the_help_and_is_wrong_usage(archspace: Archspace) -> None:
    code, out, err = archspace()
    assert (code, out) == (2, "")
    assert "Example: archspace analyze shufflenet_v1 --g 8" in err


@pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])
def test_shell_completion_is_clicks_own(kind: str) -> None:
    if kind == "bash":
        # click asks the shell for its version.
        assert shell("bash --version").returncode == 0
    done = shell("archspace ", _ARCHSPACE_COMPLETE=f"{kind}_source")
    assert (done.returncode, done.stderr) == (0, "")
    assert "_ARCHSPACE_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    ("words", "at", "completed"),
    [
        ("archspace ", 1, {f"plain,{verb}" for verb in VERBS}),
        ("archspace ana", 1, {"plain,analyze"}),
        ("archspace zoo --fo", 2, {"plain,--format", "plain,--force"}),
    ],
)
def test_verbs_and_options_complete(words: str, at: int, completed: set[str]) -> None:
    done = shell("archspace ", _ARCHSPACE_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(at))
    assert (done.returncode, done.stderr, set(done.stdout.split())) == (0, "", completed)


@pytest.mark.parametrize(
    "line", ["archspace zoo | head -1", "archspace analyze resnet50 --per op --format json | true", "archspace zoo --help | true"]
)
def test_a_reader_that_goes_away_is_no_error(line: str) -> None:
    done = shell(line)
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_line_and_no_traceback() -> None:
    done = shell("archspace zoo > /dev/full")
    assert done.returncode == 2
    assert done.stderr.startswith("archspace: ")
    assert len(done.stderr.splitlines()) == 1
    assert "No space left on device" in done.stderr


def test_a_table_aligns_words_left_and_numbers_right() -> None:
    text = table_text([Table(("<name", "madds"), [["a", "1"], ["longer", "1000"]])], to_terminal=False)
    assert text.splitlines()[0] == "name     madds"
    assert text.splitlines()[-2:] == ["a            1", "longer    1000"]


def test_brackets_in_cells_titles_and_notes_are_shown_as_they_are() -> None:
    text = table_text([Table(("<op",), [["Conv2d[3, 24]"]], title="[title]", notes=["[note]"])], to_terminal=False)
    assert all(words in text for words in ("[title]", "Conv2d[3, 24]", "[note]"))


def test_a_pipe_gets_no_colours() -> None:
    table = Table(("<op", "n"), [["x", "1"]], title="t")
    assert "\x1b" not in table_text([table], to_terminal=False)
    assert "\x1b" in table_text([table], to_terminal=True)


def test_csv_has_a_header_and_lists_as_words() -> None:
    rows = [{"name": "a,b", "shape": [1, 3]}, {"name": 'say "x"', "shape": (2, 3)}]
    assert csv_text(rows) == 'name,shape\n"a,b",1x3\n"say ""x""",2x3\n'
    assert csv_text([]) == ""


def test_brackets_in_a_cell_are_printed_and_not_taken_for_markup() -> None:
    table = Table(("<name", "[bold]"), [["Conv2d[groups=3]", "1"], ["x[/y]", "2"]], "[red]title", ["note [/]"])
    text = table_text([table], to_terminal=False)
    assert all(words in text for words in ("Conv2d[groups=3]", "x[/y]", "[bold]", "[red]title", "note [/]"))


def test_a_long_line_is_neither_cut_nor_broken() -> None:
    name = "a.very.long.name." * 20
    assert name in table_text([Table(("<name", "count"), [[name, "1234567"]])], to_terminal=False)


def test_a_note_is_broken_for_a_terminal_and_stays_whole_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    note = f"your own devices lie in /a/{'long/' * 9}path and nowhere else"
    table = Table(("<name",), [["x"]], notes=[note, "short"])
    assert note in table_text([table], to_terminal=False)
    lines = table_text([table], to_terminal=True).splitlines()[3:]
    assert lines == ["your own devices lie in", f"  /a/{'long/' * 9}path", "  and nowhere else", "short"]


def test_what_is_said_of_a_column_goes_where_the_column_goes() -> None:
    table = Table(("<name", "ms"), [["x" * 8, "1"]], notes=["last"], optional=("ms",), about={"ms": "ms: of one call", "GB": "none here"})
    assert table.footer == ["ms: of one call", "last"]
    assert fitted(table, 10).footer == ["last", "left out for a terminal of 10 columns: ms"]


def test_csv_has_a_column_for_every_key_of_any_record() -> None:
    assert csv_text([{"a": 1}, {"a": 2, "b": 3}]) == "a,b\n1,\n2,3\n"
