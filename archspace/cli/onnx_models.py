"""MODEL as a file: `net.onnx`, at the sizes that the file fixes, or at --input and --batch."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from archspace.cli.python_models import say_once
from archspace.errors import LawError, MissingPackageError
from archspace.ir.graph import Graph
from archspace.ir.ops import Shape
from archspace.ir.resize import with_input

if TYPE_CHECKING:
    from archspace.onnx.file import Dims

CHANNELS = 3  # of an image whose channels the file leaves open


def is_onnx(name: str) -> bool:
    """Whether a MODEL is an ONNX file."""
    return name.endswith(".onnx")


def load_onnx(path: str, *, size: str | None, batch: int | None, strict: bool = False) -> Graph:
    """The graph of an ONNX file. Says on stderr what of it is not known.

    --input and --batch set the sizes of the first input; sizes that the file fixes are changed afterwards, where the network allows it.
    Raises FileError, LawError, MissingPackageError.
    """
    try:
        from archspace.onnx.file import dims_of, open_inputs, read_model, shown
        from archspace.onnx.verb import graph_of
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "onnx", "onnx") from None
    model = read_model(path)
    values = open_inputs(model)
    dims = dims_of(values[0]) if values else None
    wanted = _wanted(dims, size, batch, f"{path}: the input has the shape {shown(dims)}")
    fitting = wanted
    if wanted is not None and dims is not None and len(dims) == len(wanted):
        fitting = tuple([dim if isinstance(dim, int) else one for dim, one in zip(dims, wanted, strict=True)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        graph = graph_of(model, () if fitting is None else (fitting,), path, strict=strict)
    for warning in caught:
        say_once(f"warning: {warning.message}")
    return graph if wanted in (None, graph.input_shape) else with_input(graph, wanted or ())


def _wanted(dims: Dims | None, size: str | None, batch: int | None, said: str) -> Shape | None:
    """The first input's shape as the options ask for it; None where the file's own is to stay, or must first be known."""
    first = 1 if dims is None or not dims or isinstance(dims[0], str) else dims[0]
    if size is None:
        rest = dims[1:] if dims else ()
        if not dims or not all(isinstance(dim, int) for dim in rest):
            return None
        return (batch or first, *[int(dim) for dim in rest])
    parts = size.lower().split("x")
    if not all(part.isdecimal() and int(part) for part in parts):
        raise LawError(f"--input is a size in pixels, or a shape without its batch, but got {size!r}. Examples: 224, 480x640, 3x224x224")
    numbers = tuple([int(part) for part in parts])
    rank = 4 if dims is None and len(numbers) < 3 else len(numbers) + 1 if dims is None else len(dims)
    if rank == len(numbers) + 1:
        return (batch or first, *numbers)
    if rank == 4 and len(numbers) < 3:
        channels = dims[1] if dims is not None and isinstance(dims[1], int) else CHANNELS
        return (batch or first, channels, *(numbers * 2)[-2:])
    raise LawError(f"{said}, so --input takes {rank - 1} sizes, but got {size!r}")
