"""Names: where in the network a node of an ONNX file stands, by what its exporter wrote down."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

SCOPES_KEY = "pkg.torch.onnx.name_scopes"  # torch's exporter: a list of dotted module names, outermost first
LAYER_KEY = "archspace.layer"  # archspace's: the op, as JSON, of which several nodes are part


def metadata(node: onnx.NodeProto, key: str) -> str:
    """What a node's metadata say under a key; '' where they do not."""
    return next((entry.value for entry in node.metadata_props if entry.key == key), "")


def scopes_of(node: onnx.NodeProto) -> tuple[str, ...]:
    """The dotted names that torch's exporter wrote down for a node, outermost first, without the root's; () where there are none."""
    text = metadata(node, SCOPES_KEY)
    try:
        scopes = ast.literal_eval(text) if text else []
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
    return tuple([scope for scope in scopes if isinstance(scope, str) and scope]) if isinstance(scopes, list) else ()
