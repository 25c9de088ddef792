"""Every model of torchvision and timm by name: made without weights, with the inputs that it is meant for."""

from __future__ import annotations

import random
import warnings
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Any

import torch
from torch import nn

LIBRARIES = ("torchvision", "timm")
META = torch.device("meta")

# What models raise where they look into weights that are not there, do not fit their inputs, or ask for more memory than there is.
RUN_ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)

IMAGE = (3, 224, 224)
# torchvision keeps no input size with a model: those of its weights' recipes.
TORCHVISION_IMAGES = {"inception_v3": (3, 299, 299), "quantized_inception_v3": (3, 299, 299)}
DETECTION, SEGMENTED, CLIP, FLOW = (3, 800, 800), (3, 520, 520), (3, 16, 224, 224), (3, 520, 960)


class UnmadeError(Exception):
    """A model that cannot be made here, and why."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model of a library under the name that the library lists it by; `kind` is torchvision's folder, or empty."""

    library: str
    name: str
    kind: str = ""


def declare_torchvision_operators() -> Any:
    """The two schemas without which torchvision's Python half does not import where its compiled half does not fit torch.

    They are withdrawn when the returned library is collected.
    """
    declare: Any = torch.library.Library
    library = declare("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def version(library: str) -> str:
    """A library as file names have it: 'timm1.0.31'."""
    return f"{library}{metadata.version(library)}".partition("+")[0]


def listed(library: str) -> list[Model]:
    """All that a library lists, torchvision's folders one after the other."""
    if library == "timm":
        return [Model("timm", name) for name in import_module("timm").list_models()]
    models = import_module("torchvision.models")
    kinds = ("", "segmentation", "detection", "video", "optical_flow", "quantization")
    return [Model(library, name, kind) for kind in kinds for name in models.list_models(getattr(models, kind) if kind else models)]


def make(model: Model, *, device: torch.device = META, **options: Any) -> tuple[nn.Module, bool]:
    """The module in eval mode with weights on `device`, and whether it could be made there: the CPU is tried after it.

    Of a detector it is the backbone: what follows depends on values. Raises UnmadeError.
    """
    create = import_module("timm").create_model if model.library == "timm" else import_module("torchvision.models").get_model
    random.seed(0)
    torch.manual_seed(0)
    if model.kind in ("detection", "segmentation"):
        options["weights_backbone"] = None
    failed = None
    for place in dict.fromkeys((device, torch.device("cpu"))):
        try:
            with warnings.catch_warnings(), place:
                warnings.simplefilter("ignore")
                made = create(model.name, **options).eval()
                return (made.backbone if model.kind == "detection" else made), place == device
        except RUN_ERRORS as error:
            failed = failed or error
            last = error
    raise UnmadeError(told(last))


def told(error: BaseException) -> str:
    """An error in a line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"


def input_shapes(model: Model, module: nn.Module) -> list[tuple[int, ...]]:
    """The shapes of the inputs that a model is meant for, batch included."""
    if model.library == "timm":
        return [(1, *(getattr(module, "pretrained_cfg", None) or {}).get("input_size", IMAGE))]
    image = {"segmentation": SEGMENTED, "detection": DETECTION, "video": CLIP, "optical_flow": FLOW}.get(model.kind)
    if image is None:
        image = TORCHVISION_IMAGES.get(model.name, IMAGE)
    return [(1, *image)] * (2 if model.kind == "optical_flow" else 1)
