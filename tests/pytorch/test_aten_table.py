"""The ATen table as a whole: its overloads are torch's, and what writes in place is what the plain overload is."""

from __future__ import annotations

import pytest
import torch
from aten_cases import ROUTES, X, Y, call

from archspace.ir.ops import Add, Opaque, Parameter
from archspace.pytorch.importer.assemble import graph_of
from archspace.pytorch.importer.aten import ATEN, COUNTED, FACTORIES, rule_of


def overloads(target: str) -> list[str]:
    """The overloads of a target's packet; none where torch has no such packet."""
    packet = getattr(torch.ops.aten, target.split(".")[1], None)
    return [] if packet is None else packet.overloads()


@pytest.mark.parametrize("target", [*ATEN, *sorted(FACTORIES)])
def test_a_row_is_an_overload_that_torch_has(target: str) -> None:
    assert target.split(".")[2] in overloads(target)


def test_what_counts_on_constants_too_has_a_row() -> None:
    assert set(ATEN) > COUNTED


def test_an_overload_in_place_is_what_the_plain_one_is() -> None:
    written = {"{}.{}_.{}".format(*target.split(".")): target for target in ATEN}
    in_place = {one: target for one, target in written.items() if one.split(".")[2] in overloads(one) and one not in ATEN}
    assert len(in_place) > 50  # relu_, add_, mul_, clamp_, ...
    assert all(rule_of(one) is ATEN[target] for one, target in in_place.items())
    assert rule_of("aten.hypot_.default") is None


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("make", [torch.zeros_like, torch.ones_like, torch.rand_like, lambda x: x.new_full((2, 12, 6, 10), 3.0)])
def test_a_tensor_made_like_another_is_a_constant(make: object, route: str) -> None:
    assert callable(make)
    graph = graph_of(ROUTES[route](call(lambda x: x + make(x))))
    assert [node.op for node in graph][1:] == [Parameter((2, 12, 6, 10), learned=False), Add()]


@pytest.mark.parametrize("route", ROUTES)
def test_a_call_without_a_row_is_opaque(route: str) -> None:
    graph = graph_of(ROUTES[route](call(torch.hypot, inputs=(X, Y))))
    assert [node.op for node in graph][2:] == [Opaque("aten.hypot.default", (2, 12, 6, 10))]
