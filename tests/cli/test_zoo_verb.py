"""`archspace zoo`: what is listed, against what the papers printed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from archspace.analysis import analyze
from archspace.zoo import MEMBERS, ZOO, build
from archspace.zoo.published import published_rows

Archspace = Callable[..., Any]


def listed(archspace: Archspace, *words: str) -> dict[str, Any]:
    code, out, err = archspace("zoo", *words, "--format", "json")
    assert (code, err) == (0, "")
    data: dict[str, Any] = json.loads(out)
    return data


def test_every_family_and_every_member_is_listed(archspace: Archspace) -> None:
    data = listed(archspace)
    assert [(row["family"], row["members"]) for row in data["families"]] == [(name, len(family.members)) for name, family in ZOO.items()]
    assert list(dict.fromkeys(row["member"] for row in data["members"])) == list(MEMBERS)
    _, out, _ = archspace("zoo")
    assert [name for name in (*ZOO, *MEMBERS) if name not in out] == []


def test_members_carry_the_printed_and_the_counted_numbers(archspace: Archspace) -> None:
    rows = {(row["member"], row["source"], row["published_madds_m"], row["top1_err_pct"]): row for row in listed(archspace)["members"]}
    for printed in published_rows():
        row = rows[printed.member, printed.source, printed.madds_m, printed.top1_err_pct]
        assert row["published_params_m"] == printed.params_m
        counted = analyze(build(printed.member)).flops(printed.convention) / 1e6
        assert row["counted_madds_m"] == round(counted, 2)
        if printed.madds_m is not None:
            assert row["madds_difference_pct"] == round(100 * (counted / printed.madds_m - 1), 2)


@pytest.mark.parametrize(
    ("member", "printed"),
    # ShuffleNet v1 table 1, the convolutions alone
    [
        ("shufflenet_v1_1x_g1", 143),
        ("shufflenet_v1_1x_g2", 140),
        ("shufflenet_v1_1x_g3", 137),
        ("shufflenet_v1_1x_g4", 133),
        ("shufflenet_v1_1x_g8", 137),
    ],
)
def test_table_one_of_shufflenet_v1_is_met_when_rounded(member: str, printed: int, archspace: Archspace) -> None:
    row = next(row for row in listed(archspace, "shufflenet_v1")["members"] if row["member"] == member)
    assert (row["published_madds_m"], row["convention"]) == (printed, "conv")
    counted = analyze(build(member)).flops("conv")
    assert (round(counted / 1e6), row["counted_madds_m"]) == (printed, round(counted / 1e6, 2))


def test_a_member_without_a_printed_number_shows_its_count_alone(archspace: Archspace) -> None:
    row = next(row for row in listed(archspace)["members"] if row["member"] == "resnet101")
    assert (row["published_madds_m"], row["madds_difference_pct"], row["source"]) == (None, None, "")
    assert row["counted_madds_m"] == 7801.41  # 7 801 405 440 multiply-adds, as torch's flop counter has of torchvision's


@pytest.mark.parametrize("family", ZOO)
def test_a_family_shows_all_its_options_and_its_members(family: str, archspace: Archspace) -> None:
    data = listed(archspace, family)
    assert data["family"] == family
    assert [row["option"] for row in data["options"]] == [field.name for field in fields(ZOO[family].config)]
    assert all(row["help"] and row["kind"] for row in data["options"])
    assert list(dict.fromkeys(row["member"] for row in data["members"])) == list(ZOO[family].members)
    _, out, _ = archspace("zoo", family)
    assert out.startswith(f"{family}: {ZOO[family].summary}")
    assert [row["option"] for row in data["options"] if f"--{row['option'].replace('_', '-')}" not in out] == []


def test_the_alias_and_the_default_of_an_option_are_shown(archspace: Archspace) -> None:
    options = {row["option"]: row for row in listed(archspace, "shufflenet_v1")["options"]}
    assert (options["groups"]["alias"], options["groups"]["default"]) == ("g", 3)
    assert options["repeats"]["default"] == [4, 8, 4]
    _, out, _ = archspace("zoo", "shufflenet_v1")
    assert "--groups, --g" in out
    assert "4,8,4" in out


def test_a_members_name_stands_for_its_family(archspace: Archspace) -> None:
    assert listed(archspace, "resnet50") == listed(archspace, "resnet")


@pytest.mark.parametrize(("words", "key"), [((), "members"), (("fenet",), "options")])
def test_csv_reads_back(words: tuple[str, ...], key: str, archspace: Archspace) -> None:
    _, out, _ = archspace("zoo", *words, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    for got, row in zip(rows, listed(archspace, *words)[key], strict=True):
        assert got == {k: "" if v is None else "x".join(map(str, v)) if isinstance(v, list) else str(v) for k, v in row.items()}


def test_the_check_holds_every_printed_complexity_and_passes(archspace: Archspace) -> None:
    code, out, _ = archspace("zoo", "--check", "--format", "json")
    data = json.loads(out)
    assert (code, data["missed"]) == (0, 0)
    assert len(data["checks"]) == sum(row.is_complexity for row in published_rows())
    assert {row["verdict"].partition(":")[0] for row in data["checks"]} == {"met", "sources contradict"}


def test_a_missed_number_fails_the_check(archspace: Archspace, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tuple(replace(row, madds_m=160.0) if row.member == "shufflenet_v2_1x" and row.madds_m else row for row in published_rows())
    monkeypatch.setattr("archspace.cli.zoo.published_rows", lambda: rows)
    monkeypatch.setattr(
        "archspace.cli.zoo.published_by_member",
        lambda: {row.member: [other for other in rows if other.member == row.member] for row in rows},
    )
    code, out, _ = archspace("zoo", "shufflenet_v2", "--check", "--format", "json")
    data = json.loads(out)
    missed = {row["member"]: row["verdict"] for row in data["checks"] if row["verdict"] != "met"}
    assert (code, missed) == (1, {"shufflenet_v2_1x": "missed: madds"})
