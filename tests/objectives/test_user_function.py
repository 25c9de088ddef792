"""Objectives of the user's own: found by name, and whatever they do wrong is said."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from archspace.errors import ObjectiveError, SpaceError, UnknownNameError
from archspace.objectives import metric_named
from archspace.objectives.user_function import user_function
from archspace.zoo import build

SOURCE = """
def nodes(graph):
    return len(graph)

def broken(graph):
    raise ValueError("too many nodes")

def words(graph):
    return "good"

def endless(graph):
    return float("inf")

def huge(graph):
    return 10 ** 400

def leaves(graph):
    raise SystemExit(3)

def of_numpy(graph):
    import numpy
    return numpy.float32(3.5)
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "of_mine.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)


def test_the_function_gets_the_graph() -> None:
    graph = build("shufflenet_v2", width=0.5)
    assert user_function("python:of_mine:nodes")(graph) == len(graph)


def test_what_it_raises_is_kept_with_its_traceback() -> None:
    with pytest.raises(ObjectiveError, match=r"^python:of_mine:broken raised ValueError: too many nodes$") as caught:
        user_function("python:of_mine:broken")(build("shufflenet_v2", width=0.5))
    assert 'raise ValueError("too many nodes")' in caught.value.traceback
    again = pickle.loads(pickle.dumps(caught.value))  # as it comes back from another process
    assert (str(again), again.traceback) == (str(caught.value), caught.value.traceback)


def test_numbers_of_other_libraries_are_numbers() -> None:
    assert user_function("python:of_mine:of_numpy")(build("shufflenet_v2", width=0.5)) == 3.5


def test_a_function_that_would_end_the_process_fails_its_trial() -> None:
    with pytest.raises(ObjectiveError, match="python:of_mine:leaves raised SystemExit: 3"):
        user_function("python:of_mine:leaves")(build("shufflenet_v2", width=0.5))


@pytest.mark.parametrize(("name", "value"), [("words", "'good'"), ("endless", "inf"), ("huge", r"1000+\.\.\.")])
def test_what_is_no_finite_number_is_refused(name: str, value: str) -> None:
    with pytest.raises(ObjectiveError, match=f"must return a finite number, but returned {value}"):
        user_function(f"python:of_mine:{name}")(build("shufflenet_v2", width=0.5))


@pytest.mark.parametrize("name", ["python:of_mine", "python::nodes", "python:of_mine:", "python:"])
def test_a_name_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(SpaceError, match=r"is python:package\.module:function, but got"):
        user_function(name)


def test_a_module_that_is_not_there_or_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=r"python:nowhere_at_all:f: its module cannot be imported: ModuleNotFoundError"):
        user_function("python:nowhere_at_all:f")
    (tmp_path / "fails_at_once.py").write_text("1 / 0\n", encoding="utf-8")
    with pytest.raises(SpaceError, match="its module cannot be imported: ZeroDivisionError"):
        user_function("python:fails_at_once:f")


def test_a_function_that_is_not_there_is_unknown_with_near_names() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown function of of_mine 'node'\. Did you mean 'nodes'\?"):
        metric_named("python:of_mine:node")
