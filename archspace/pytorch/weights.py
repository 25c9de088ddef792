"""Foreign weights in a module built from a graph: by their names, or by their order where the names differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path

import torch
from torch import Tensor, nn

from archspace.errors import LawError
from archspace.pytorch.state import read_state

PREFIXES = ("module.", "_orig_mod.")  # what DistributedDataParallel and torch.compile put in front of names
OPTIONAL = frozenset({"num_batches_tracked"})  # kinds that may be missing on either side: no output depends on them
SHOWN = 3  # tensors that an error names


def load_weights(module: nn.Module, state: Mapping[str, Tensor] | str | Path) -> dict[str, str]:
    """Load a state dict, or a file with one (`archspace.pytorch.state.read_state`), into a module, in place.

    Tensors go where their names are equal; what is beyond the module's own names is left out (a backbone takes a classifier's weights).
    Where a name of the module is missing they go by position: the first weight to the first weight, the first running mean to the first
    running mean, and so on, each kind by itself; this needs the shapes of each kind to agree one by one, and tensors of one layer to stay
    together. A shape may have trailing ones more (a 1x1 convolution from a linear layer). Counters of batch
    norm may be missing. Returns the foreign name of each tensor that was loaded, by its own name.
    Raises LawError, naming the first tensors that do not fit, and FileError for what is no file of weights.
    """
    given = dict(read_state(state)) if isinstance(state, str | Path) else dict(state)
    for name, tensor in given.items():
        if not isinstance(tensor, Tensor):
            raise LawError(f"load_weights takes tensors by name, but {name} is {type(tensor).__name__}. Give module.state_dict().")
    given = _unprefixed(given)
    own = module.state_dict()
    pairs = _by_name(own, given) if _needed(own) <= _needed(given) else _by_position(own, given)
    with torch.no_grad():
        loaded = {name: given[foreign].detach().reshape(own[name].shape) for name, foreign in pairs.items()}
        module.load_state_dict({**own, **loaded})
    return pairs


def _unprefixed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state dict without what wrappers put in front of every name."""
    for prefix in PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            return _unprefixed({name.removeprefix(prefix): tensor for name, tensor in state.items()})
    return state


def _kind(name: str) -> str:
    return name.rpartition(".")[2]


def _owner(name: str) -> str:
    return name.rpartition(".")[0]


def _needed(names: Iterable[str]) -> set[str]:
    return {name for name in names if _kind(name) not in OPTIONAL}


def _fits(own: Tensor, foreign: Tensor) -> bool:
    """Whether the shapes are equal but for trailing ones."""
    a, b = list(own.shape), list(foreign.shape)
    while len(a) > len(b) and a[-1] == 1:
        a.pop()
    while len(b) > len(a) and b[-1] == 1:
        b.pop()
    return a == b


def _by_name(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, str]:
    pairs = {name: name for name in own if name in given}
    wrong = [_difference(own, name, given, name) for name in pairs if not _fits(own[name], given[name])]
    if wrong:
        raise LawError(f"weights of equal names must have equal shapes, but {_shown(wrong)}. Build the graph that the weights are of.")
    return pairs


def _by_position(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, str]:
    """Own name -> foreign name, the k-th of each kind to the k-th. Raises LawError."""
    pairs: dict[str, str] = {}
    wrong: list[str] = []
    for kind in dict.fromkeys(map(_kind, [*own, *given])):
        mine, theirs = ([name for name in names if _kind(name) == kind] for names in (own, given))
        if kind in OPTIONAL and len(mine) != len(theirs):
            continue
        for name, foreign in zip_longest(mine, theirs):
            if name is None or foreign is None or not _fits(own[name], given[foreign]):
                wrong.append(_difference(own, name, given, foreign))
                break
            pairs[name] = foreign
    if not wrong:
        partner: dict[str, str] = {}
        wrong = [
            f"{name} would be {foreign}, apart from the rest of {_owner(name) or 'the module'}"
            for name, foreign in pairs.items()
            if partner.setdefault(_owner(name), _owner(foreign)) != _owner(foreign)
        ]
    if wrong:
        raise LawError(
            "weights must fit by their names or, kind by kind, by the order of their shapes, "
            f"but {_shown(wrong)}. Build the graph that the weights are of."
        )
    return pairs


def _difference(own: Mapping[str, Tensor], name: str | None, given: Mapping[str, Tensor], foreign: str | None) -> str:
    mine = f"{name} is {_shape(own[name])}" if name is not None else "the module has no more"
    theirs = f"{foreign} is {_shape(given[foreign])}" if foreign is not None else "the weights have no more"
    return f"{mine} and {theirs}" if name != foreign else f"{mine} here and {_shape(given[str(foreign)])} there"


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a scalar"


def _shown(wrong: list[str]) -> str:
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return "; ".join(wrong[:SHOWN]) + more
