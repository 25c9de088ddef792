"""Foreign weights: by name, by position, and what does not fit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import archspace
from archspace.errors import LawError
from archspace.ir import Builder, Graph, ops
from archspace.pytorch import load_weights, to_module
from archspace.zoo import build

# torchvision's shufflenet_v2, with torchvision's names -----------------------------------------------------------------------------


def conv_bn(c1: int, c2: int, k: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(c1, c2, k, stride, k // 2, groups=groups, bias=False), nn.BatchNorm2d(c2)]


class InvertedResidual(nn.Module):
    """torchvision.models.shufflenetv2.InvertedResidual; the branch is computed by out_channels - kept channels, as in the paper's table."""

    def __init__(self, inp: int, oup: int, stride: int) -> None:
        super().__init__()
        half = oup // 2
        c1, kept = (inp, min(half, inp)) if stride > 1 else (half, half)
        shortcut = [*conv_bn(inp, inp, 3, stride, inp), *conv_bn(inp, kept, 1), nn.ReLU(inplace=True)]
        self.branch1 = nn.Sequential(*(shortcut if stride > 1 else ()))
        first = [*conv_bn(c1, half, 1), nn.ReLU(inplace=True)]
        last = [*conv_bn(half, oup - kept, 1), nn.ReLU(inplace=True)]
        self.branch2 = nn.Sequential(*first, *conv_bn(half, half, 3, stride, half), *last)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        x1, x2 = (x, x) if self.stride > 1 else x.chunk(2, dim=1)
        out = torch.cat((self.branch1(x1), self.branch2(x2)), dim=1)
        n, c, h, w = out.shape
        return out.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class ShuffleNetV2(nn.Module):
    """torchvision.models.shufflenetv2.ShuffleNetV2 at width 1."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(*conv_bn(3, 24, 3, 2), nn.ReLU(inplace=True))
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = 24
        for name, repeats, out in (("stage2", 4, 116), ("stage3", 8, 232), ("stage4", 4, 464)):
            blocks = [InvertedResidual(channels, out, 2), *(InvertedResidual(out, out, 1) for _ in range(repeats - 1))]
            self.add_module(name, nn.Sequential(*blocks))
            channels = out
        self.conv5 = nn.Sequential(*conv_bn(channels, 1024, 1), nn.ReLU(inplace=True))
        self.fc = nn.Linear(1024, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.conv1(x))
        for name in ("stage2", "stage3", "stage4"):
            x = self.get_submodule(name)(x)
        return self.fc(self.conv5(x).mean([2, 3]))


def test_weights_under_torchvisions_names_give_torchvisions_outputs() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        foreign = ShuffleNetV2(10)
        foreign(torch.randn(4, 3, 64, 64))  # statistics other than the start's
    module = to_module(build("shufflenet_v2", input=(64, 64), num_classes=10), seed=1)
    pairs = load_weights(module, foreign.state_dict())
    assert pairs["stem.conv1.conv.weight"] == "conv1.0.weight"
    assert pairs["stage2.unit0.shortcut.pw.bn.running_var"] == "stage2.0.branch1.3.running_var"
    assert pairs["stage4.unit3.branch.pw2.conv.weight"] == "stage4.3.branch2.5.weight"
    assert pairs["head.fc.bias"] == "fc.bias"
    assert len(pairs) == len(foreign.state_dict())
    x = torch.randn((2, 3, 64, 64), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        torch.testing.assert_close(module.eval()(x), foreign.eval()(x), rtol=0, atol=1e-5)


# By name, by position -------------------------------------------------------------------------------------------------------------


def graph_of(names: tuple[str, str] = ("conv", "bn"), channels: int = 4) -> Graph:
    b = Builder("tiny")
    x = b.add(names[0], ops.Conv2d(3, channels, 1, bias=True), b.input((1, 3, 4, 4)))
    return b.build(b.add(names[1], ops.BatchNorm2d(channels), x))


def random_state(module: nn.Module) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return {
        name: torch.rand(value.shape, generator=generator) if value.is_floating_point() else torch.tensor(7)
        for name, value in module.state_dict().items()
    }


def test_equal_names_win_over_the_order() -> None:
    module = to_module(graph_of())
    state = random_state(module)
    load_weights(module, dict(reversed(state.items())))
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module."])
def test_what_wrappers_put_in_front_of_names_is_taken_off(prefix: str) -> None:
    module = to_module(graph_of())
    state = random_state(module)
    assert load_weights(module, {f"{prefix}{name}": value for name, value in state.items()}) == {name: name for name in state}


def test_counters_of_batch_norm_may_be_missing() -> None:
    module = to_module(graph_of())
    state = {f"x{name}": value for name, value in random_state(module).items() if "num_batches" not in name}
    assert len(load_weights(module, state)) == 6
    assert int(module.state_dict()["bn.num_batches_tracked"]) == 0


def test_a_linear_layer_fits_a_1x1_convolution() -> None:
    module = to_module(graph_of())
    state = random_state(module)
    weight = state.pop("conv.weight").reshape(4, 3)
    load_weights(module, {"conv.weight": weight, **state})
    assert torch.equal(module.state_dict()["conv.weight"], weight.reshape(4, 3, 1, 1))


def test_half_precision_is_taken_as_the_modules_type() -> None:
    module = to_module(graph_of())
    load_weights(module, {name: value.half() if value.is_floating_point() else value for name, value in random_state(module).items()})
    assert module.state_dict()["conv.weight"].dtype == torch.float32


def test_a_backbone_takes_a_classifiers_weights_by_name() -> None:
    graph = build("mobilenet_v1", width=0.25, input=(32, 32))
    whole, backbone = to_module(graph, seed=1), to_module(graph, seed=2, features=True)
    pairs = load_weights(backbone, whole.state_dict())
    assert set(pairs) == set(backbone.state_dict()) < set(whole.state_dict())


def test_real_displacements_are_rounded_into_fixed_shifts() -> None:
    options = {"width": 0.25, "repeats": (1, 1, 1, 1, 1), "input": (32, 32)}
    learned, fixed = (to_module(build("fenet", **options, learned_shifts=one), seed=1) for one in (True, False))
    load_weights(fixed, learned.state_dict())
    name = next(name for name in fixed.state_dict() if name.endswith("alpha"))
    assert torch.equal(fixed.state_dict()[name], learned.state_dict()[name].round().to(torch.int64))


def test_the_facade_has_it_and_reads_files(tmp_path: Path) -> None:
    module = to_module(graph_of())
    state = random_state(module)
    torch.save(state, tmp_path / "weights.pt")
    archspace.load_weights(module, tmp_path / "weights.pt")
    assert torch.equal(module.state_dict()["conv.weight"], state["conv.weight"])


# What does not fit ----------------------------------------------------------------------------------------------------------------


def refused(state: dict[str, Tensor]) -> str:
    """The error of loading into the tiny module, which stays as it was."""
    module = to_module(graph_of(), seed=0)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(LawError) as caught:
        load_weights(module, state)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    return str(caught.value)


def test_another_shape_under_the_same_name_is_named() -> None:
    state = random_state(to_module(graph_of()))
    message = refused(state | {"conv.weight": torch.zeros(5, 3, 1, 1)})
    assert "conv.weight is 4x3x1x1 here and 5x3x1x1 there" in message


def test_another_sequence_of_shapes_is_named_by_its_first_tensors() -> None:
    state = random_state(to_module(graph_of(("a", "b"), channels=6)))
    message = refused(state)
    assert message.startswith("weights must fit by their names or, kind by kind, by the order of their shapes, but ")
    assert "conv.weight is 4x3x1x1 and a.weight is 6x3x1x1" in message
    assert message.endswith("Build the graph that the weights are of.")
    assert "\n" not in message


def test_too_many_and_too_few_tensors_are_named() -> None:
    state = {f"x.{name}": value for name, value in random_state(to_module(graph_of())).items()}
    assert "the module has no more and more.weight is 2" in refused(state | {"more.weight": torch.zeros(2)})
    del state["x.bn.running_var"]
    assert "bn.running_var is 4 and the weights have no more" in refused(state)


def test_a_layer_is_not_torn_apart_where_shapes_agree_by_chance() -> None:
    b = Builder("two")
    x = b.add("a", ops.Conv2d(4, 4, 1, bias=True), b.input((1, 4, 4, 4)))
    module = to_module(b.build(b.add("b", ops.Conv2d(4, 4, 1, bias=True), x)))
    weight, bias = torch.zeros(4, 4, 1, 1), torch.zeros(4)
    with pytest.raises(LawError, match=re.escape("a.bias would be q.bias, apart from the rest of a")):
        load_weights(module, {"p.weight": weight, "q.bias": bias, "q.weight": weight, "p.bias": bias})


def test_what_is_no_tensor_is_refused() -> None:
    with pytest.raises(LawError, match="takes tensors by name, but epoch is int"):
        load_weights(to_module(graph_of()), {"epoch": 3})  # type: ignore[dict-item]
