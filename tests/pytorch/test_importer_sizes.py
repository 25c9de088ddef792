"""Another input without the model: what follows the new size, and what is known to be pinned to the old one."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as f

from archspace import Graph, from_torch
from archspace.errors import LawError
from archspace.ir.serde import from_dict, to_dict
from archspace.pytorch.importer.measured import Measured, holds_measured, measured, measured_size


class Body(nn.Module):
    """A function between two convolutions."""

    def __init__(self, body: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.before = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.body = Call(body)
        self.after = nn.Conv2d(4, 5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.body(self.before(x)))


class Call(nn.Module):
    """A function as a module."""

    def __init__(self, body: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def shuffled(x: Tensor) -> Tensor:
    n, c, h, w = x.size()
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def padded_to_even(x: Tensor) -> Tensor:
    return f.pad(x, (0, x.shape[-1] % 2, 0, x.size(2) % 2))


def padded_if_odd(x: Tensor) -> Tensor:
    return f.pad(x, (0, 1)) if x.shape[3] % 2 else x


def halved(x: Tensor) -> Tensor:
    return x[:, :, : math.ceil(x.shape[2] / 2)]


def doubled(x: Tensor) -> Tensor:
    return f.interpolate(x, size=[2 * side for side in x.shape[2:]])


FREE = {
    "a shuffle": shuffled,
    "pooling": lambda x: f.adaptive_avg_pool2d(x, 6),
    "an addition": lambda x: x + f.relu(x),
    "a gate": lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(),
    "a factor": lambda x: f.interpolate(x, scale_factor=2.0),
    "channels asked for": lambda x: x if x.shape[1] == 4 else x[:, :4],
}
PINNED = {
    "padding": padded_to_even,
    "a branch": padded_if_odd,
    "a crop": halved,
    "a size": doubled,
    "pooling to a part": lambda x: f.adaptive_avg_pool2d(x, (x.shape[2] // 2, 3)),
}


def known(graph: Graph) -> list[object]:
    return [(node.name, node.op, node.inputs, node.shape, node.block, node.shares, node.params) for node in graph]


@pytest.mark.parametrize("key", FREE)
@pytest.mark.parametrize("shape", [(1, 3, 30, 44), (5, 3, 32, 32), (2, 3, 33, 31)])
def test_a_graph_that_is_free_follows_any_input_as_the_model_does(key: str, shape: tuple[int, ...]) -> None:
    module = Body(FREE[key])
    graph = from_torch(module, torch.empty(1, 3, 32, 32)).with_input(*shape[2:], batch=shape[0])
    assert known(graph) == known(from_torch(module, torch.empty(shape)))


@pytest.mark.parametrize("key", PINNED)
def test_sizes_that_come_from_sizes_pin_the_input_and_are_named(key: str) -> None:
    module = Body(PINNED[key])
    graph = from_torch(module, torch.empty(1, 3, 32, 32))
    with pytest.raises(LawError, match=r"^Body: (before|body|after).* pins the input to \(1, 3, 32, 32\), but .*30\) is asked for"):
        graph.with_input(30)
    assert known(graph.with_input(32, batch=3)) == known(from_torch(module, torch.empty(3, 3, 32, 32)))


def test_a_branch_of_the_root_pins_everything() -> None:
    class Root(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            assert x.shape[2] == 8
            return self.conv(x)

    with pytest.raises(LawError, match="conv pins the input"):
        from_torch(Root(), torch.empty(1, 3, 8, 8)).with_input(9)


def test_a_classifier_on_all_pixels_pins_the_size_by_its_own_law() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(4 * 8 * 8, 5))
    with pytest.raises(LawError, match=r"2 pins the input.*in_features must equal the input's last axis"):
        from_torch(module, torch.empty(1, 3, 8, 8)).with_input(9)


@pytest.mark.filterwarnings("ignore::archspace.pytorch.OpaqueWarning")
def test_unknown_work_pins_the_size() -> None:
    graph = from_torch(Call(lambda x: torch.hypot(x, x)), torch.empty(1, 3, 8, 8))
    with pytest.raises(LawError, match=r"hypot pins the input.*what Opaque makes of another shape is not known"):
        graph.with_input(9)


def test_a_size_must_have_a_number_for_each_axis() -> None:
    graph = from_torch(nn.Conv1d(3, 4, 3), torch.empty(1, 3, 20))
    assert graph.with_input(30).nodes[-1].shape == (1, 4, 28)
    with pytest.raises(LawError, match=r"one number for each axis behind batch and channels, but got \(30, 30\)"):
        graph.with_input(30, 30)


def test_what_is_pinned_stays_so_in_json() -> None:
    graph = from_torch(Body(padded_to_even), torch.empty(1, 3, 32, 32))
    assert any(node.is_pinned for node in graph)
    assert from_dict(to_dict(graph)) == graph


def test_measured_numbers_compute_as_numbers_do_and_stay_measured() -> None:
    asked: list[bool] = []
    seven = measured(7, lambda: asked.append(True))
    halves = [seven / 2, seven * 1.5, math.ceil(seven / 2), round(seven / 2), seven // 2]
    results = [seven + 2, 2 - seven, -seven, seven % 4, 2**seven, *halves]
    assert not asked
    assert all(isinstance(one, Measured) for one in results)
    assert [float(one) for one in results] == [9, -5, -7, 3, 128, 3.5, 10.5, 4, 4, 3]
    assert max(seven, 9) == 9
    assert asked
    assert {7: "seven"}[seven] == "seven"


def test_only_extents_in_space_are_measured_and_found_in_arguments() -> None:
    image, tokens = torch.empty(2, 3, 8, 9), torch.empty(2, 50, 16)
    sizes = measured_size(image, image.shape, lambda: None), measured_size(tokens, tokens.shape, lambda: None)
    assert [[isinstance(one, Measured) for one in size] for size in sizes] == [[False, False, True, True], [False, True, False]]
    assert holds_measured([(slice(None), slice(None, sizes[0][2]))])
    assert not holds_measured({"size": [1, 2, sizes[0][1]]})
