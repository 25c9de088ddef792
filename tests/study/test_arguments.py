"""Wrong arguments of a search, as a notebook gives them: one clear error each, and nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import archspace
from archspace.errors import ArchspaceError
from archspace.study import arguments

V1 = Path(__file__).parents[2] / "spaces" / "shufflenet_v1.toml"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"space": {}}, "search takes a Space or the path of its TOML, but got dict"),
        ({"directory": None}, "directory must be a path, but got None"),
        ({"trials": 0}, "trials must be a whole number of at least 1, but got 0"),
        ({"trials": "3"}, "trials must be a whole number of at least 1, but got '3'"),
        ({"trials": 3.5}, "trials must be a whole number"),
        ({"seed": "x"}, "seed must be a whole number, but got 'x'"),
        ({"device": 5}, "device must be a word, but got 5"),
        ({"sampler": 5}, "sampler must be a word, but got 5"),
        ({"objectives": ["madds"]}, "objectives must be a table by metric"),
        ({"objectives": {"madds": None}}, "unknown direction of madds None"),
        ({"bounds": {"madds": float("nan")}}, "bounds: madds must be a number above 0, but got nan"),
        ({"bounds": {"madds": "140X"}}, "a count is a positive number"),
        ({"bounds": {"madds": None}}, "bounds: madds must be a number above 0, but got None"),
        ({"hold": "madds=140M"}, "hold must be a table by metric"),
        ({"hold": {"madds": -1}}, "hold: madds must be a number above 0, but got -1"),
    ],
)
def test_a_wrong_argument_is_one_clear_error(options: dict[str, Any], words: str, tmp_path: Path) -> None:
    given = {"space": V1, "directory": tmp_path / "study", "trials": 3, **options}
    with pytest.raises(ArchspaceError, match=words.replace("(", r"\(")):
        archspace.search(given.pop("space"), **given)
    assert list(tmp_path.iterdir()) == []


def test_quantities_are_read_as_the_command_line_reads_them() -> None:
    assert arguments.quantities("bounds", {"madds": "140M", "latency_ms": "1.5s", "params": 3}) == {
        "madds": 140e6,
        "latency_ms": 1500.0,
        "params": 3.0,
    }


@pytest.mark.parametrize("verb", ["analyze", "predict", "to_module"])
def test_a_name_where_a_graph_belongs_says_how_to_make_one(verb: str) -> None:
    options = {"device": "sd810"} if verb == "predict" else {}
    with pytest.raises(ArchspaceError, match=rf"^{verb} takes a Graph, but got str\. Make one with archspace\.build"):
        getattr(archspace, verb)("shufflenet_v1", **options)
