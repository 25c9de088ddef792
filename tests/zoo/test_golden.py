"""Exact integers of every published member, as they were when last looked at: a change here must be meant.

`python tests/zoo/test_golden.py` writes the table anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from archspace.analysis import total_counts
from archspace.zoo import MEMBERS, build

GOLDEN_CSV = Path(__file__).parent / "golden.csv"
HEAD = (
    "# Counted by archspace, batch 1, each member at its own input; regenerate with: python tests/zoo/test_golden.py",
    "member,madds,params,mem_elems",
)


def golden_lines() -> list[str]:
    """The table that the code gives now."""
    found = {member: total_counts(build(member)) for member in MEMBERS}
    return [*HEAD, *(f"{member},{c.madds},{c.params},{c.mem_elems}" for member, c in found.items())]


def test_the_table_holds_every_member_once() -> None:
    lines = GOLDEN_CSV.read_text(encoding="utf-8").splitlines()
    assert tuple(lines[:2]) == HEAD
    assert [line.split(",")[0] for line in lines[2:]] == list(MEMBERS)


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_counts_what_it_counted(member: str) -> None:
    rows = {line.split(",")[0]: line for line in GOLDEN_CSV.read_text(encoding="utf-8").splitlines()[2:]}
    counts = total_counts(build(member))
    assert f"{member},{counts.madds},{counts.params},{counts.mem_elems}" == rows[member]


if __name__ == "__main__":
    GOLDEN_CSV.write_text("\n".join(golden_lines()) + "\n", encoding="utf-8")
