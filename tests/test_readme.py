"""The README is true: its terminal sessions run and print what it shows, its Python runs, its links and make targets exist."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SESSIONS = re.findall(r"```console\n\$ (archspace [^\n]+)\n(.*?)```", README, flags=re.DOTALL)


def pattern(shown: str) -> str:
    """Shown output as a regular expression: a line of three dots stands for any lines."""
    return "".join(r"(?:.*\n)*?" if line == "..." else re.escape(line) + r"\n" for line in shown.splitlines())


@pytest.mark.slow
def test_the_terminal_sessions_of_the_readme_print_what_it_shows(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "spaces", tmp_path / "spaces")
    assert len(SESSIONS) >= 4
    for command, shown in SESSIONS:
        words = [sys.executable, "-m", *command.split()]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        done = subprocess.run(
            words, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout
        assert re.fullmatch(pattern(shown), done.stdout), f"$ {command}\n{done.stdout}"


def test_the_python_of_the_readme_runs_and_prints_what_it_shows() -> None:
    found = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert found.attempted >= 8
    assert found.failed == 0


@pytest.mark.slow
def test_make_demo_runs_the_main_job(tmp_path: Path) -> None:
    scripts = Path(sys.executable).parent
    words = ["make", "demo", "--old-file=setup", f"BIN={scripts}", f"DEMO={tmp_path / 'demo'}"]
    done = subprocess.run(words, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, check=False)
    assert done.returncode == 0, done.stdout
    assert "unseen digits are right" in done.stdout
    assert (tmp_path / "demo" / "report.html").is_file()
    assert (tmp_path / "demo" / "winner.pt2").is_file()


def test_every_extra_that_the_readme_installs_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    asked = re.findall(r"pip install '\.\[(\w+)\]'", README)
    assert asked
    assert set(asked) <= set(extras)


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"\bmake (\w+)", README))
    assert {"demo", "test"} <= targets
    assert [target for target in targets if f"\n{target}:" not in makefile] == []


def test_every_folder_of_the_layout_exists() -> None:
    layout = README.split("## How it is laid out")[1]
    folders = re.findall(r"archspace/\w+", layout)
    assert len(folders) >= 9
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []
