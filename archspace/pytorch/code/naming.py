"""Names of classes and of values in forward: what a person would call them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, count
from keyword import iskeyword

from archspace.pytorch.code.classes import Structure, Unit
from archspace.pytorch.code.pieces import Expression, Layer
from archspace.pytorch.code.tree import Tree
from archspace.zoo import ZOO

LONGEST_PATTERN = 4  # layers in a row that name their class
SHORT: dict[str, str] = {"Conv2d": "Conv", "BatchNorm2d": "BN", "MaxPool2d": "MaxPool", "AvgPool2d": "AvgPool", "ZeroPad2d": "Pad"}
WORDS: dict[str, str] = {"se": "SqueezeExcite", "crelu": "CReLU", "pw": "Pointwise", "dw": "Depthwise", "": "Block"}
OWN_WORDS = frozenset({"se", "crelu"})  # words that say more than the layers do
PATTERNS: dict[str, str] = {"DepthwiseConvConv": "SeparableConv"}
UNITS = frozenset({"unit", "cell", "block", "layer", ""})  # what blocks are called that come several in a row
# Names of parts that say what is done, and not what comes out: a value takes none of them.
VERBS = frozenset(
    {
        "conv",
        "bn",
        "norm",
        "act",
        "relu",
        "dw",
        "pw",
        "expand",
        "project",
        "add",
        "concat",
        "cat",
        "pool",
        "unit",
        "cell",
        "fc",
        "pre",
        "post",
    }
    | {"squeeze", "reduce", "dropout", "flatten", "shift", "crelu", "mul", "scale", "shuffle", "layer", "block", "se", "narrow", "sub"}
)
# What importers call calls: after the function.
CALLS = frozenset(
    {"reshape", "view", "permute", "transpose", "unsqueeze", "expand", "unbind", "split", "chunk", "select"}
    | {"slice", "clone", "contiguous", "roll", "matmul", "bmm", "softmax", "mean", "sum", "interpolate"}
    | {
        "pad",
        "layer_norm",
        "batch_norm",
        "gelu",
        "silu",
        "relu6",
        "hardswish",
        "sigmoid",
        "conv2d",
        "linear",
        "scaled_dot_product_attention",
        "out",
    }
)
# What a module of code calls by these names: torch's, and the functions of `archspace.pytorch.functions`.
RESERVED = frozenset({"self", "torch", "nn", "functional", "Tensor", "OrderedDict", "numbers", "add", "sub", "div", "to", "strided"})


def camel(words: str) -> str:
    """A class's name of a scope's or a network's.

    >>> camel("shufflenet_v2"), camel("ib_pool"), camel("50")
    ('ShufflenetV2', 'IbPool', 'Net50')
    """
    name = "".join(part[:1].upper() + part[1:] for part in re.split(r"\W|_", words))
    return name if name.isidentifier() and not iskeyword(name) else f"Net{name}"


def spelled(network: str) -> str:
    """The class's name of a network, with the capitals that its family's paper gives it.

    >>> spelled("shufflenet_v2")
    'ShuffleNetV2'
    """
    name = camel(network)
    written = camel(ZOO[network].summary.partition(" (")[0]) if network in ZOO else name
    return written if written.lower() == name.lower() else name


def class_names(found: Sequence[Structure], tree: Tree, reserved: Iterable[str]) -> list[str]:
    """A name for each class, different from each other and from the reserved ones."""
    taken = {*RESERVED, *reserved}
    names = [""] * len(found)
    order = [len(found) - 1, *range(len(found) - 1)]  # the network first: its name is its own
    for i in order:
        own = spelled(tree.graph.name) if i == order[0] else _class_name(found[i], tree)
        names[i] = next(tried for tried in chain((own,), map(f"{own}{{}}".format, count(2))) if tried not in taken)
        taken.add(names[i])
    return names


def _class_name(structure: Structure, tree: Tree) -> str:
    blocks = {node.block for node in tree.graph}
    names = [scope.name for scope in structure.scopes]
    words = Counter(re.sub(r"\d+$", "", name.rpartition(".")[2]).strip("_") for name in names)
    word = words.most_common(1)[0][0]
    pattern = _pattern(structure)
    if pattern and not blocks.issuperset(names) and word not in OWN_WORDS:
        return pattern
    is_unit = bool(blocks.intersection(names)) and word in UNITS
    name = WORDS.get(word, camel(word if is_unit or len(names) > 1 else names[0].rpartition(".")[2]))
    if not is_unit and len(words) > 1 and len(structure.units) <= LONGEST_PATTERN:
        name = "".join(camel(unit.path[-1]) for unit in structure.units)  # one word would name others falsely
    if is_unit:
        name = f"{'Down' * _shrinks(structure, tree)}{'Residual' * _is_residual(structure)}{name}"
    return name


def _pattern(structure: Structure) -> str:
    """'ConvBNReLU' for a few layers in a row; '' for anything else."""
    units = structure.units
    if len(units) > LONGEST_PATTERN or structure.inputs != 1 or not all(isinstance(unit.target, Layer) for unit in units):
        return ""
    if [unit.inputs for unit in units] != [((u - 1, 0),) for u in range(len(units))]:
        return ""
    pattern = "".join(_layer_word(structure, u, unit) for u, unit in enumerate(units))
    for layers, name in PATTERNS.items():
        pattern = pattern.replace(layers, name)
    return pattern


def _layer_word(structure: Structure, u: int, unit: Unit) -> str:
    assert isinstance(unit.target, Layer)
    name = unit.target.name.removeprefix("nn.")
    words = [slot.word for slot in unit.target.slots]
    rows = [dict(zip(words, row[u], strict=True)) for row in structure.data]
    depthwise = name.startswith("Conv") and all(row["groups"] == row["in_channels"] > 1 for row in rows)
    return "Depthwise" * depthwise + SHORT.get(name, name)


def _shrinks(structure: Structure, tree: Tree) -> bool:
    """Whether every scope of a class gives a smaller image than it reads."""
    pairs = [(tree.reads(scope.members)[:1], tree.results(scope.members)[:1]) for scope in structure.scopes]
    shapes = [(tree.graph.nodes[a[0]].shape, tree.graph.nodes[b[0]].shape) for a, b in pairs if a and b]
    return bool(shapes) and all(len(a) == len(b) == 4 and b[2] < a[2] for a, b in shapes)


def _is_residual(structure: Structure) -> bool:
    return any(isinstance(unit.target, Expression) and unit.target.form == "+" and (-1, 0) in unit.inputs for unit in structure.units)


def noun_of(part: str) -> str:
    """What the result of a part may be called after it: its name without a number; '' where that says what is done."""
    word = re.sub(r"\d+$", "", part).rstrip("_")
    return word if word not in VERBS | CALLS and word.isidentifier() and not iskeyword(word) else ""


def value_name(wanted: Sequence[str], taken: Iterable[str]) -> str:
    """The first of the names wanted, y, z, y2, ... that is not taken."""
    taken = {*taken, *RESERVED, "", "x"}
    return next(one for one in chain(wanted, ("y", "z"), map("y{}".format, count(2))) if one not in taken and not iskeyword(one))
