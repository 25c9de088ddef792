"""Round trip: is to_module(from_torch(m)) with m's weights the same function as m? One row per model, appended to the table."""

from __future__ import annotations

import csv
import resource
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from models import RUN_ERRORS, Model, UnmadeError, input_shapes, listed, make, told, version
from torch import Tensor, nn

import archspace
from archspace.analysis.opaque import OpaqueWarning
from archspace.errors import ArchspaceError, LawError
from archspace.pytorch.rebuild import rebuild

RESULTS = Path(__file__).parent / "results"
MEMORY = 12 << 30  # bytes of address space
LARGEST = 150_000_000  # scalars of a model that is tried
TOLERANCE = 1e-4  # of the largest output, or of 1 where that is larger
SMALLEST = 5  # models of each family that are tried, timm's families being its modules
BATCH = 2
PIXELS = (96, 128)  # tried in this order, then the size that the model is meant for
KINDS = ("", "segmentation", "video")
FIELDS = (
    "model",
    "family",
    "input",
    "verdict",
    "weights",
    "max_difference",
    "max_output",
    "by_name_reason",
    "load_weights_reason",
    "rebuilt_reason",
    "reason",
)


def randomise(module: nn.Module) -> None:
    """Statistics of batch norms, and whatever starts as a constant (scales of 1 or 1e-6, biases of 0): values that make errors show."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            if not tensor.is_floating_point():
                continue
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5, generator=generator)
            elif name.endswith("running_mean"):
                tensor.normal_(0.0, 0.1, generator=generator)
            elif isinstance(tensor, nn.Parameter) and tensor.numel() > 1 and tensor.min() == tensor.max():
                is_scale = tensor.flatten()[0] != 0
                tensor.uniform_(0.5, 1.5, generator=generator) if is_scale else tensor.normal_(0.0, 0.1, generator=generator)


def runnable(model: Model, module: nn.Module) -> tuple[Tensor, Any]:
    """The smallest input that the model takes, and its output. Raises what its forward raises at the size that it is meant for."""
    (meant,) = input_shapes(model, module)
    for pixels in (*[size for size in PIXELS if size < meant[-1]], 0):
        x = torch.randn(BATCH, *meant[1:-2], *((pixels, pixels) if pixels else meant[-2:]), generator=torch.Generator().manual_seed(0))
        try:
            return x, module(x)
        except RUN_ERRORS:
            if not pixels:
                raise
    raise AssertionError(model.name)


def by_name(module: nn.Module, x: Tensor) -> nn.Module:
    """The module of the imported graph with the original's tensors under their names. Raises LawError where a name or a shape differs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OpaqueWarning)
        built = archspace.to_module(archspace.from_torch(module, x), seed=1).eval()
    given = module.state_dict() | dict(module.named_buffers())  # also those buffers that a state dict leaves out
    own = built.state_dict()
    found = {name: given[name] for name, tensor in own.items() if name in given and given[name].shape == tensor.shape}
    missing = [name for name in own if name not in found and not name.endswith("num_batches_tracked")]
    if missing:
        raise LawError(f"{len(missing)} tensors have other names or shapes: {' '.join(missing[:3])}")
    built.load_state_dict(found, strict=False)
    return built


def tensors(value: Any) -> list[Tensor]:
    """The tensors of an output, in order."""
    return [one for one in torch.utils._pytree.tree_leaves(value) if isinstance(one, Tensor)]


def by_load_weights(module: nn.Module, x: Tensor) -> nn.Module:
    """The module of the imported graph with the original's state dict, loaded by names or by order.

    Raises LawError where it does not fit.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OpaqueWarning)
        built = archspace.to_module(archspace.from_torch(module, x), seed=1).eval()
    archspace.load_weights(built, module.state_dict())
    return built


ROUTES: dict[str, Callable[[nn.Module, Tensor], nn.Module]] = {
    "by name": by_name,
    "load_weights": by_load_weights,
    "rebuilt": lambda module, x: rebuild(module, x)[1],
}


def family_and_size(model: Model) -> tuple[str, int]:
    """The file that the model's class is in, and its params."""
    module, _ = make(model)
    return type(module).__module__.rpartition(".")[2], sum(one.numel() for one in module.parameters())


def chosen(library: str) -> list[Model]:
    """All of torchvision's that return maps or scores; the smallest of every family of timm."""
    models = [model for model in listed(library) if model.kind in KINDS]
    if library != "timm":
        return models
    families: dict[str, list[tuple[int, str]]] = {}
    for model in models:
        family, size = family_and_size(model)
        families.setdefault(family, []).append((size, model.name))
    return [Model(library, name) for members in families.values() for _, name in sorted(members)[:SMALLEST]]


def row_of(model: Model) -> dict[str, Any]:
    """The row of a model."""
    row: dict[str, Any] = dict.fromkeys(FIELDS, "") | {"model": model.name}
    try:
        row["family"], size = family_and_size(model)
        if size > LARGEST:
            return row | {"verdict": "not tried", "reason": f"more than {LARGEST} params"}
        module, _ = make(model, device=torch.device("cpu"))
    except UnmadeError as error:
        return row | {"verdict": "not made", "reason": str(error)}
    randomise(module)
    try:
        x, expected = runnable(model, module)
    except RUN_ERRORS as error:
        return row | {"verdict": "not run by torch", "reason": told(error)}
    row["input"] = "x".join(map(str, x.shape))
    largest = max(float(a.abs().max()) for a in tensors(expected))
    bound = TOLERANCE * max(1.0, largest)
    for route, build in ROUTES.items():
        reason = f"{route}_reason".replace(" ", "_")
        try:
            compared = difference(expected, build(module, x)(x))
        except ArchspaceError as error:
            row |= {"weights": route, "verdict": "not built", reason: str(error)}
            continue
        except RUN_ERRORS as error:
            row |= {"weights": route, "verdict": "does not run", reason: told(error)}
            continue
        row |= {"weights": route, "verdict": "equal" if compared < bound else "differs", "max_difference": f"{compared:.2e}"}
        if compared < bound:
            break
        row[reason] = f"differs by {compared:.2e}"
    return row | {"max_output": f"{largest:.2e}"}


def difference(expected: Any, found: Any) -> float:
    """The largest difference of two outputs."""
    return max(float((a - b).abs().max()) for a, b in zip(tensors(expected), tensors(found), strict=True))


def round_trips(library: str, *names: str) -> None:
    """Append the rows that are missing, of these models or of those that are `chosen`."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    path = RESULTS / f"roundtrip-{version(library)}-cpu-float32-{BATCH}images.csv"
    done = set()
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            done = {row["model"] for row in csv.DictReader(file)}
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if not done:
            writer.writeheader()
        for model in [Model(library, name) for name in names] or chosen(library):
            if model.name not in done:
                row = row_of(model)
                writer.writerow(row)
                file.flush()
                if row["verdict"] != "equal":
                    print({key: value for key, value in row.items() if value != ""}, flush=True)
