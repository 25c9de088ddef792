"""What importing leaves as it was: the module, its hooks, its mode, torch's random state; and what it says when it cannot import."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from archspace.errors import LawError
from archspace.pytorch import OpaqueWarning, from_torch

X = torch.empty(2, 3, 16, 16)


class Net(nn.Module):
    """Batch norm and dropout, in training mode; fails where asked, behind the batch norm."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.fails = fails

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x)) + torch.rand(1)
        if self.fails:
            raise RuntimeError("no luck")
        return self.drop(x)


def traces(module: nn.Module) -> list[Any]:
    """Everything of a module and of the process that importing could change."""
    tensors = [(name, id(t), t._version, t.device, t.detach().clone()) for name, t in module.state_dict(keep_vars=True).items()]
    hooks = [list(layer._forward_hooks) for layer in module.modules()]
    modes = [layer.training for layer in module.modules()]
    grads = [(p.requires_grad, p.grad) for p in module.parameters()]
    state = [torch.get_rng_state(), random.getstate(), torch.is_grad_enabled()]
    return [tensors, hooks, modes, grads, state]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return torch.equal(a, b)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.filterwarnings("ignore::archspace.pytorch.OpaqueWarning")
def test_nothing_of_the_module_changes(fails: bool) -> None:
    module = Net(fails=fails)
    module.drop.eval()
    called: list[nn.Module] = []
    module.conv.register_forward_hook(lambda layer, args, out: called.append(layer))
    before = traces(module)
    if fails:
        with pytest.raises(LawError, match=r"^Net: forward must run .* raised RuntimeError, .*alone\.py line \d+: raise .*\(no luck\)$"):
            from_torch(module, X)
    else:
        from_torch(module, X)
    assert same(before, traces(module))
    assert called == []
    module.conv(X)
    assert called == [module.conv]


def test_weights_are_never_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise MemoryError("a weight was copied")

    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    monkeypatch.setattr(nn.Parameter, "__deepcopy__", refused)
    assert len(from_torch(module, X)) == 3


def test_a_module_on_the_meta_device_is_imported() -> None:
    with torch.device("meta"):
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    assert [node.shape for node in from_torch(module, X)] == [(2, 3, 16, 16), (2, 4, 14, 14), (2, 4, 14, 14)]


def test_compiled_and_parallel_modules_are_unwrapped() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    plain = from_torch(module, X)
    assert from_torch(torch.compile(module, backend="eager"), X) == plain
    assert from_torch(nn.DataParallel(module), X) == plain
    inner = nn.Sequential(torch.compile(module[0], backend="eager"), module[1])
    assert from_torch(inner, X) == plain
    module.compile(backend="eager")
    assert from_torch(module, X) == plain


def test_weight_norm_is_seen_through() -> None:
    module = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3, bias=False)))
    graph = from_torch(module, X)
    assert sum(graph.counts(node).params for node in graph) == 4 * 3 * 9 + 4


def test_a_branch_on_data_is_refused_with_its_line() -> None:
    class Branches(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if x.sum() > 0:
                return x
            return torch.relu(x)

    with pytest.raises(LawError, match=r"^Branches: forward must not branch on .*alone\.py line \d+: if x\.sum\(\) > 0:"):
        from_torch(Branches(), X)


@pytest.mark.parametrize(
    ("module", "inputs", "message"),
    [
        ("resnet50", (X,), "takes a torch.nn.Module, but got str"),
        (nn.ReLU(), (), "needs the example inputs of ReLU.forward"),
        (nn.Linear(4, 3), (torch.empty(2, 3),), r"^Linear: forward must run on the example inputs, but raised RuntimeError \(.*\[4, 3\]"),
        (nn.Conv2d(3, 4, 3), (torch.empty(2, 5, 8, 8),), "Conv2d: forward must run on the example inputs, but raised RuntimeError"),
        (nn.ReLU(), (X, X), "ReLU: forward must run on the example inputs, but raised"),
    ],
)
def test_what_cannot_be_imported_is_said_in_one_line(
    module: Any, inputs: tuple[Tensor, ...], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LawError, match=message) as caught:
        from_torch(module, *inputs)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


class Counting(nn.Module):
    """A forward that writes into a buffer and a parameter, and asks NumPy for a number."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.conv.weight.mul_(2)
        return self.conv(x) + np.random.rand()


@pytest.mark.parametrize("trace", [False, True])
def test_a_forward_that_writes_writes_into_a_copy(trace: bool) -> None:
    module = Counting()
    weight, state = module.conv.weight.detach().clone(), np.random.get_state()[1].copy()
    from_torch(module, torch.zeros(1, 3, 4, 4), trace=trace)
    assert module.calls.item() == 0
    assert torch.equal(module.conv.weight, weight)
    assert (np.random.get_state()[1] == state).all()


def test_hooks_that_are_not_called_are_told() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1))
    module[0].register_forward_hook(lambda layer, args, result: result * 2)
    with pytest.warns(OpaqueWarning, match="^Sequential: forward hooks are not called"):
        from_torch(module, torch.zeros(1, 3, 4, 4))


class OddError(Exception):
    """An exception of the user's own."""


@pytest.mark.parametrize("raised", [OddError("odd"), StopIteration(), SystemExit(3), FileNotFoundError(2, "No such file", "weights.bin")])
def test_any_exception_of_a_forward_is_told_with_its_line(raised: BaseException) -> None:
    class Raises(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise raised

    with pytest.raises(
        LawError, match=rf"^Raises: forward must run .* {type(raised).__name__}, test_importer_leaves_alone\.py line \d+: raise raised"
    ):
        from_torch(Raises(), torch.zeros(1, 3))
