"""Layers of archspace's own: shifts, which an exported file spells in several nodes that say what they are together."""

from __future__ import annotations

import json
from dataclasses import replace

from archspace.errors import LawError
from archspace.ir.ops import GroupedShift, Op, Parameter, SparseShift
from archspace.onnx.draft import Draft

OWN_LAYERS: dict[str, type[Op]] = {"GroupedShift": GroupedShift, "SparseShift": SparseShift}


def fuse_own_layers(draft: Draft) -> None:
    """Put one op in place of the nodes of each such layer. Nodes that are no such layer after all stay as they are."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for i, one in enumerate(draft.nodes):
        if one is not None and one.place.layer:
            groups.setdefault((one.place.layer, *one.place.path), []).append(i)
    for (said, *_), members in groups.items():
        last, inside = draft[members[-1]], set(members)
        sources = {j for i in members for j in draft[i].inputs if j not in inside and not isinstance(draft[j].op, Parameter)}
        if len(sources) != 1 or any(not draft.users[i] <= inside for i in members[:-1]):
            continue
        source = sources.pop()
        op = _op(said)
        try:
            fits = op is not None and op.out_shape(draft[source].shape) == last.shape
        except LawError:
            fits = False
        if op is not None and fits:
            place = replace(last.place, word="", call="")
            draft.put(members[-1], replace(last, op=op, inputs=(source,), place=place, weights=frozenset(), is_side=False))


def _op(said: str) -> Op | None:
    """The op that the metadata say. A learned shift is fixed in a file: its displacements are no parameters any more."""
    try:
        data = json.loads(said)
        return OWN_LAYERS[data["op"]](**{key: value for key, value in data["attrs"].items() if key != "learned"})
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # foreign metadata
