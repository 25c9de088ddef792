"""Places: where in the network a node of an ONNX file stands, by what its exporter wrote down."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

SCOPES_KEY = "pkg.torch.onnx.name_scopes"  # torch's exporter: dotted module names, outermost first, then the call's own name
LAYER_KEY = "archspace.layer"  # archspace's: the op, as JSON, of which several nodes are part
WEIGHT = re.compile(r"((?:\w+\.)*\w+)\.[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Place:
    """The dotted names of the modules around a node, outermost first, and what the node is called there ('': after its op).

    Nodes of one `call` were one call in the network that was exported; '' where nobody wrote that down. `layer` is the op of archspace's
    own, as JSON, that a node is part of.
    """

    path: tuple[str, ...]
    word: str = ""
    call: str = ""
    layer: str = ""


def plain(name: str) -> str:
    """A name of letters, digits, underscores and single dots."""
    return ".".join(part for part in re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).split(".") if part)


def metadata(node: onnx.NodeProto, key: str) -> str:
    """What a node's metadata say under a key; '' where they do not."""
    return next((str(entry.value) for entry in node.metadata_props if entry.key == key), "")


def scopes_of(node: onnx.NodeProto) -> tuple[str, ...]:
    """The modules that torch's exporter wrote down for a node and the name of the call, outermost first; () where there are none."""
    text = metadata(node, SCOPES_KEY)
    try:
        scopes = ast.literal_eval(text) if text else []
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
    return tuple([clean for scope in scopes if isinstance(scope, str) and (clean := plain(scope))]) if isinstance(scopes, list) else ()


def place_of(node: onnx.NodeProto, weights: Sequence[str] = ()) -> Place:
    """The place of a node: by its first weight's name (`layer1.0.conv1.weight`), else by the exporter's metadata, else by slashes in its
    name (`/layer1/layer1.0/conv1/Conv`), else nowhere. Its word is known from metadata alone.
    """
    scopes = scopes_of(node)
    owner = next((match[1] for name in weights if (match := WEIGHT.fullmatch(name))), "")
    if owner:
        return Place(parents(owner))
    if scopes:
        word = re.sub(r"_\d+$", "", scopes[-1].rpartition(".")[2].strip("_"))
        return Place(parents(scopes[-2]) if len(scopes) > 1 else (), word, scopes[-1], metadata(node, LAYER_KEY))
    *outer, _ = node.name.split("/")
    path: list[str] = []
    last = ""
    for part in [clean for one in outer if (clean := plain(one))]:
        own = part.removeprefix(f"{last}.") if last else part
        path.append(f"{path[-1]}.{own}" if path else own)
        last = part
    return Place(tuple(path), call=node.name if outer else "")


def place_of_weight(name: str, word: str, reader: Place) -> Place:
    """The place of a tensor that is read as activations are: by its own dotted name, else beside the node that reads it."""
    scope, dot, own = name.rpartition(".")
    if dot and WEIGHT.fullmatch(name):
        return Place(parents(scope), own)
    return Place(reader.path, name if re.fullmatch(r"[A-Za-z_]\w*", name) and not re.fullmatch(r"val_\d+", name) else word)


def parents(dotted: str) -> tuple[str, ...]:
    """A dotted name with all that it is in, outermost first: ('a', 'a.b', 'a.b.c')."""
    parts = dotted.split(".")
    return tuple([".".join(parts[: i + 1]) for i in range(len(parts))])
