"""What well-known libraries build under the zoo's names: every convolution and every linear layer of their models, as a table for tests.

python studies/reproduce/libraries.py      # needs torch, torchvision, timm, pytorchcv; writes libraries*.csv in tests/zoo; half a minute

Models are built without weights on torch's meta device and run once at our network's input. What is recorded is what torch executes, not
what the modules say: the operators `convolution`, `addmm` and `mm` with the shapes that they meet.
"""

from __future__ import annotations

import csv
import warnings
from collections import Counter
from dataclasses import dataclass, field
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from archspace.cli.models import load_model

TESTS = Path(__file__).parents[2] / "tests" / "zoo"
LIBRARIES = ("torch", "torchvision", "timm", "pytorchcv")
MODEL_FIELDS = ("network", "model", "params")
LAYER_FIELDS = ("kind", "in", "out", "kernel", "stride", "padding", "dilation", "groups", "bias", "height", "width")

Layer = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """A network of the zoo, as NAME@option=value, and the constructor and options that make the same in a library."""

    network: str
    constructor: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The call as one would write it."""
        return f"{self.constructor}({', '.join(f'{key}={value!r}' for key, value in self.options.items())})"


DEPTHS = (18, 34, 50, 101, 152)
SHUFFLENET_V2_NAMES = {0.5: ("x0_5", "wd2"), 1.0: ("x1_0", "w1"), 1.5: ("x1_5", "w3d2"), 2.0: ("x2_0", "w2")}
PYTORCHCV_CONV5 = (1024, 1024, 1553, 2153)  # it scales table 5's 1024 where the paper has 1024 and 2048
NO_AUXILIARY = {"aux_logits": False, "init_weights": False}

PAIRS = (
    # ResNet and its relatives
    *(Pair(f"resnet{depth}", f"torchvision.models.resnet{depth}") for depth in DEPTHS),
    *(Pair(f"resnet{depth}", f"timm.models.resnet{depth}") for depth in DEPTHS),
    *(Pair(f"resnet{depth}", f"pytorchcv.models.resnet.resnet{depth}{'b' if depth > 34 else ''}") for depth in DEPTHS),
    Pair("resnet50_v1", "pytorchcv.models.resnet.resnet50"),
    *(Pair(f"resnet@depth={depth},stride_on_3x3=no", f"pytorchcv.models.resnet.resnet{depth}") for depth in (101, 152)),
    *(Pair(f"resnet{depth}_cifar", f"pytorchcv.models.resnet_cifar.resnet{depth}_cifar10") for depth in (20, 56, 110)),
    *(
        Pair(f"resnet{n}_cifar", "pytorchcv.models.resnet_cifar.get_resnet_cifar", {"num_classes": 10, "blocks": n, "bottleneck": False})
        for n in (32, 44)
    ),
    *(Pair("resnext50_32x4d", f"{place}.resnext50_32x4d") for place in ("torchvision.models", "timm.models", "pytorchcv.models.resnext")),
    *(Pair("resnext101_64x4d", f"{place}.resnext101_64x4d") for place in ("torchvision.models", "timm.models", "pytorchcv.models.resnext")),
    *(Pair("resnext101_32x4d", f"{place}.resnext101_32x4d") for place in ("timm.models", "pytorchcv.models.resnext")),
    *(Pair("resnext@depth=101,group_width=8", f"{place}.resnext101_32x8d") for place in ("torchvision.models", "timm.models")),
    *(
        Pair(f"resnext@depth={depth},groups=1,group_width=128", f"{place}.wide_resnet{depth}_2")
        for depth in (50, 101)
        for place in ("torchvision.models", "timm.models")
    ),
    *(
        Pair(f"se_resnext{depth}_32x4d", f"{constructor}resnext{depth}_32x4d")
        for depth in (50, 101)
        for constructor in ("timm.models.legacy_se", "timm.models.se", "pytorchcv.models.seresnext.se")
    ),
    Pair("se_resnet50", "timm.models.seresnet50"),
    Pair("se_resnet50", "pytorchcv.models.seresnet.seresnet50b"),
    Pair("se_resnet50@stride_on_3x3=no", "timm.models.legacy_seresnet50"),
    Pair("se_resnet50@stride_on_3x3=no", "pytorchcv.models.seresnet.seresnet50"),
    Pair("senet154", "timm.models.legacy_senet154"),
    Pair("senet154", "pytorchcv.models.senet.senet154"),
    # DenseNet and CondenseNet
    *(
        Pair(f"densenet{depth}", f"{place}.densenet{depth}")
        for depth in (121, 161, 169, 201)
        for place in ("torchvision.models", "timm.models", "pytorchcv.models.densenet")
    ),
    *(Pair(f"condensenet_g{g}", f"pytorchcv.models.condensenet.condensenet74_c{g}_g{g}") for g in (4, 8)),
    # classic networks
    *(
        Pair(f"vgg_{depth}", f"{place}.vgg{depth}")
        for depth in (11, 13, 16, 19)
        for place in ("torchvision.models", "timm.models", "pytorchcv.models.vgg")
    ),
    *(
        Pair("vgg_16_bn" if depth == 16 else f"vgg@depth={depth},batch_norm=yes", constructor)
        for depth in (11, 13, 16, 19)
        for constructor in (f"torchvision.models.vgg{depth}_bn", f"timm.models.vgg{depth}_bn", f"pytorchcv.models.vgg.bn_vgg{depth}")
    ),
    Pair("alexnet@groups=1", "pytorchcv.models.alexnet.alexnet"),
    Pair("alexnet_2014", "torchvision.models.alexnet"),
    Pair("alexnet_2014", "pytorchcv.models.alexnet.alexnetb"),
    Pair("inception_v1_bn", "torchvision.models.googlenet", NO_AUXILIARY),
    *(Pair(f"squeezenet_1.{i}", f"torchvision.models.squeezenet1_{i}") for i in (0, 1)),
    *(Pair(f"squeezenet_1.{i}", f"pytorchcv.models.squeezenet.squeezenet_v1_{i}") for i in (0, 1)),
    *(Pair(f"squeezenet@version=1.{i},bypass=yes", f"pytorchcv.models.squeezenet.squeezeresnet_v1_{i}") for i in (0, 1)),
    # mobile networks
    *(
        Pair(f"shufflenet_v2_{w:g}x@equal_branches=yes", f"torchvision.models.shufflenet_v2_{names[0]}")
        for w, names in SHUFFLENET_V2_NAMES.items()
    ),
    *(
        Pair(f"shufflenet_v2@width={w:g},conv5_channels={conv5},equal_branches={equal}", f"pytorchcv.models.{kind}.{kind}_{names[1]}")
        for (w, names), conv5 in zip(SHUFFLENET_V2_NAMES.items(), PYTORCHCV_CONV5, strict=True)
        for kind, equal in (("shufflenetv2", "yes"), ("shufflenetv2b", "no"))
    ),
    Pair(
        "shufflenet_v2_2x_se@equal_branches=yes,conv5_channels=2153,se_reduction=16",
        "pytorchcv.models.shufflenetv2.get_shufflenetv2",
        {"width_scale": 61 / 29, "use_se": True},
    ),
    *(Pair(f"shufflenet_v1_1x_g{g}", f"pytorchcv.models.shufflenet.shufflenet_g{g}_w1") for g in (1, 2, 3, 4, 8)),
    *(Pair(f"shufflenet_v1_0.5x_g{g}", f"pytorchcv.models.shufflenet.shufflenet_g{g}_wd2") for g in (1, 3)),
    *(
        Pair(f"shufflenet_v1@groups={g},width={w},stem_channels={stem}", f"pytorchcv.models.shufflenet.shufflenet_g{g}_{name}")
        for w, stem, name in ((0.25, 6, "wd4"), (0.75, 18, "w3d4"))
        for g in (1, 3)
    ),
    *(
        Pair(network, "pytorchcv.models.shufflenet.get_shufflenet", {"groups": g, "width_scale": w})
        for network, g, w in (
            ("shufflenet_v1@groups=3,width=1.5,stem_channels=36", 3, 1.5),
            ("shufflenet_v1_2x_g3", 3, 2.0),
            *((f"shufflenet_v1@groups={g},width=2", g, 2.0) for g in (1, 2, 4, 8)),
        )
    ),
    *(
        Pair(f"mobilenet_v1_{w:g}x", f"pytorchcv.models.mobilenet.mobilenet_{name}")
        for w, name in ((0.25, "wd4"), (0.5, "wd2"), (0.75, "w3d4"), (1, "w1"))
    ),
    Pair("mobilenet_v1_1x", "timm.models.mobilenetv1_100"),
    Pair("mobilenet_v1@width=1.25", "timm.models.mobilenetv1_125"),
    Pair("mobilenet_v2_1x", "timm.models.mobilenetv2_100"),
    Pair("mobilenet_v2_1.4x", "timm.models.mobilenetv2_140"),
    *(Pair(f"mobilenet_v2_{w}x", f"timm.models.mobilenetv2_{100 * w:03.0f}") for w in (0.35, 0.5)),
    Pair("mobilenet_v2_0.75x_192", "timm.models.mobilenetv2_075"),
    *(
        Pair(network, "torchvision.models.mobilenet_v2", {"width_mult": w})
        for network, w in (
            ("mobilenet_v2@width=0.15", 0.15),
            ("mobilenet_v2@width=0.4", 0.4),
            ("mobilenet_v2@width=0.6", 0.6),
            ("mobilenet_v2_0.75x_192", 0.75),
            ("mobilenet_v2_1x", 1.0),
            ("mobilenet_v2_1.4x", 1.4),
        )
    ),
    Pair("mobilenet_v2_1x", "pytorchcv.models.mobilenetv2.mobilenetv2b_w1"),
    Pair("igcv3_d_1x", "pytorchcv.models.igcv3.igcv3_w1"),
    *(Pair(f"igcv3_d@width={w}", f"pytorchcv.models.igcv3.igcv3_{name}") for w, name in ((0.25, "wd4"), (0.5, "wd2"), (0.75, "w3d4"))),
    # networks of cells
    Pair("nasnet_a_mobile", "pytorchcv.models.nasnet.nasnet_4a1056"),
    Pair("nasnet_a@channels=168,repeats=6,6,6,stem_channels=96,input=331x331", "pytorchcv.models.nasnet.nasnet_6a4032"),
    Pair("nasnet_a@channels=168,repeats=6,6,6,stem_channels=96,input=331x331", "timm.models.nasnetalarge"),
    Pair("nasnet_a@repeats=6,6,6", "timm.models.nasnet.NASNetALarge", {"stem_size": 32, "num_features": 1056}),
    Pair("pnasnet_5@channels=216,repeats=4,3,3,stem_channels=96,input=331x331", "timm.models.pnasnet5large"),
    Pair("pnasnet_5@channels=216,repeats=4,3,3,stem_channels=96,input=331x331", "pytorchcv.models.pnasnet.pnasnet5large"),
    Pair("darts_v2", "pytorchcv.models.darts.darts"),
)


def written(values: Any) -> str:
    """One number per axis as a word: (3, 3) -> '3', (1, 7) -> '1x7'."""
    return "x".join(map(str, values[:1] if len(set(values)) == 1 else values))


@dataclass(frozen=True, slots=True)
class Recorder:
    """Notes every convolution and every matrix product that torch executes, in order of the first of its kind.

    torch's flop counter gives it the arguments of each operator with shapes in the place of tensors, and adds up the zeros it returns.
    """

    layers: Counter[Layer] = field(default_factory=Counter)

    def convolution(
        self,
        x: Any,
        weight: Any,
        bias: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        transposed: bool,
        _: Any,
        groups: int,
        *,
        out_shape: Any,
    ) -> int:
        """The operator `convolution`. Raises ValueError for a transposed one, which has no counterpart in the zoo."""
        if transposed:
            raise ValueError(f"a transposed convolution has no counterpart in the zoo: {tuple(weight)}")
        kernel, stride, padding, dilation = map(written, (weight[2:], stride, padding, dilation))
        return self._note("conv", x[1], weight[0], kernel, stride, padding, dilation, groups, int(bias is not None), *out_shape[2:])

    def linear(self, *shapes: Any, out_shape: Any) -> int:
        """The operators `addmm` (bias, x, weight) and `mm` (x, weight)."""
        features, out = shapes[-1]
        return self._note("linear", features, out, 1, 1, 0, 1, 1, int(len(shapes) == 3), 1, 1)

    def unread(self, *shapes: Any, out_shape: Any) -> int:
        """Any other operator that multiplies matrices. Raises ValueError, so that nothing is left out unseen."""
        raise ValueError(f"a product of batches of matrices is executed, which this study does not read: {shapes}")

    def _note(self, *fields: Any) -> int:
        self.layers[tuple(map(str, fields))] += 1
        return 0

    def counter(self) -> FlopCounterMode:
        """The mode to run a model in."""
        aten = torch.ops.aten
        products = {aten.addmm: self.linear, aten.mm: self.linear, aten.bmm: self.unread, aten.baddbmm: self.unread}
        return FlopCounterMode(display=False, custom_mapping={aten.convolution: self.convolution, **products})


def declare_torchvision_operators() -> Any:
    """The two schemas without which torchvision's Python half does not import where its compiled half does not fit torch.

    They are withdrawn when the returned library is collected.
    """
    declare: Any = torch.library.Library
    library = declare("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def read_model(pair: Pair) -> tuple[int, Counter[Layer]]:
    """The parameters and the layers of a library's model at our network's input."""
    module, _, name = pair.constructor.rpartition(".")
    constructor = getattr(import_module(module), name)
    with torch.device("meta"), torch.no_grad():
        model = constructor(**pair.options).eval()
        recorder = Recorder()
        x = torch.empty(load_model(pair.network).input_shape)
        with recorder.counter():
            model(x)
    return sum(p.numel() for p in model.parameters()), recorder.layers


def write_csv(path: Path, fields: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """A table under one comment line with the versions that it was read from."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# Read by studies/reproduce/libraries.py from {versions}\n")
        csv.writer(file, lineterminator="\n").writerows([fields, *rows])
    print(f"{path.name}: {len(rows)} rows, {path.stat().st_size} bytes")


def main() -> None:
    """Read every pair and write both tables."""
    warnings.simplefilter("ignore")
    declared = declare_torchvision_operators()
    models: list[tuple[Any, ...]] = []
    layers: list[tuple[Any, ...]] = []
    for pair in PAIRS:
        params, found = read_model(pair)
        models.append((pair.network, pair.model, params))
        layers += [(pair.model, *layer, count) for layer, count in found.items()]
    write_csv(TESTS / "libraries.csv", MODEL_FIELDS, models)
    write_csv(TESTS / "libraries_layers.csv", ("model", *LAYER_FIELDS, "count"), layers)
    del declared


if __name__ == "__main__":
    main()
