"""Folding: what shape arithmetic comes to. A node on small known tensors is evaluated by ONNX's reference implementation."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from archspace.onnx.calls import Array

MOST_ELEMENTS = 4096  # of a tensor whose value is known: shapes, axes, scales, small masks

# What the reference implementation raises on what it does not have or the file does not mean.
EVALUATION_ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)

# Operators that make a large tensor of small ones.
GROWING = ("ConstantOfShape", "Expand", "EyeLike", "OneHot", "Pad", "Range", "Resize", "Tile")

NOT_CONSTANT = ("Random", "Bernoulli", "Multinomial", "Loop", "Scan", "If", "Sequence", "Optional")


def value_of(tensor: onnx.TensorProto) -> Array | None:
    """The value of a small tensor that lies in the file itself."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL or prod(tensor.dims) > MOST_ELEMENTS:
        return None
    try:
        return numpy_helper.to_array(tensor)
    except EVALUATION_ERRORS:
        return None


def evaluate(node: onnx.NodeProto, values: dict[str, Array], opset: int) -> tuple[Array, ...] | None:
    """The outputs of a node on known values; None where they are not small arrays, or the evaluation fails."""
    if node.op_type.startswith(NOT_CONSTANT) or node.domain not in ("", "ai.onnx"):
        return None
    try:
        with np.errstate(all="ignore"):
            found = ReferenceEvaluator(node, opsets={"": opset}).run(None, values)
    except EVALUATION_ERRORS:
        return None
    arrays = [np.asarray(one) for one in found]
    return None if any(one.size > MOST_ELEMENTS or one.dtype == object for one in arrays) else tuple(arrays)
