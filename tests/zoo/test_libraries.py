"""Every convolution and linear layer of the zoo's networks, beside what torchvision, timm and pytorchcv build under the same names.

`studies/reproduce/libraries.py` wrote both tables; nothing here needs the libraries.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from archspace.analysis import total_counts
from archspace.cli.models import load_model
from archspace.ir.graph import Graph
from archspace.ir.ops import Conv2d, Linear
from archspace.ir.ops.base import IntPair, pair

FOLDER = Path(__file__).parent
FIELDS = ("kind", "in", "out", "kernel", "stride", "padding", "dilation", "groups", "bias", "height", "width")

Layer = tuple[str, ...]  # one word per field
Words = dict[str, str | tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Reading:
    """A library's layers with the fields `where` (a word, or any of several) are read with the fields `like`: `times` of each, or all."""

    where: Words
    like: dict[str, str]
    times: int | None = None

    def __call__(self, layers: Counter[Layer]) -> Counter[Layer]:
        found: Counter[Layer] = Counter()
        for layer, count in layers.items():
            fields = dict(zip(FIELDS, layer, strict=True))
            fits = all(fields[key] in ((words,) if isinstance(words, str) else words) for key, words in self.where.items())
            read = 0 if not fits else count if self.times is None else min(count, self.times)
            found[tuple((fields | self.like).values())] += read
            found[layer] += count - read
        return +found


@dataclass(frozen=True, slots=True)
class Deviation:
    """Where a library's model differs from our network on purpose, and why."""

    reason: str
    readings: tuple[Reading, ...]


BIASED_CONVS = Reading({"kind": "conv", "height": ("224", "112", "56", "28", "14")}, {"bias": "0"})
FC_AS_CONVS = (
    Reading({"kind": "conv", "in": "512", "kernel": "7"}, {"kind": "linear", "in": "25088", "kernel": "1"}),
    Reading({"kind": "conv", "in": "4096"}, {"kind": "linear"}),
)
KEEPS_BIAS = "convolutions keep a bias that the batch norm behind them cancels"
WITH_CONVS = "its first two fully connected layers are convolutions over the whole map"


def subsampled(*projections: tuple[int, int, int]) -> tuple[Reading, ...]:
    """Pairs of 1x1 convolutions (in, out, map) behind a 1x1 pool of stride 2: ours have the stride themselves."""
    return tuple(
        Reading({"in": str(c1), "out": str(c2), "kernel": "1", "stride": "1", "height": str(size)}, {"stride": "2"}, times=2)
        for c1, c2, size in projections
    )


def cut_maps(*cuts: tuple[int, int]) -> tuple[Reading, ...]:
    """Maps (theirs, ours) that are computed with a row and a column more, which are cut off afterwards."""
    return tuple(Reading({"height": str(a), "width": str(a)}, {"height": str(b), "width": str(b)}) for a, b in cuts)


def padded_before(sizes: tuple[int, ...], kernels: tuple[int, ...]) -> tuple[Reading, ...]:
    """Strided kernels without padding of their own, on maps that were padded before."""
    maps = tuple(map(str, sizes))
    return tuple(Reading({"kernel": str(k), "stride": "2", "padding": "0", "height": maps}, {"padding": str(k // 2)}) for k in kernels)


SUBSAMPLED = "every second pixel is taken before the 1x1 convolutions of a factorized reduction, not by their stride"
CUT = "strided cells compute a row and a column more, as their padding is on one side only, and cut them off"
PADDED = "strided maps are padded as TensorFlow does, before the convolution"

# model: how it deviates.
DEVIATIONS: dict[str, Deviation] = {
    **{f"timm.models.vgg{depth}()": Deviation(WITH_CONVS, FC_AS_CONVS) for depth in (11, 13, 16, 19)},
    **{f"torchvision.models.vgg{depth}_bn()": Deviation(KEEPS_BIAS, (BIASED_CONVS,)) for depth in (11, 13, 16, 19)},
    **{
        f"timm.models.vgg{depth}_bn()": Deviation(f"{KEEPS_BIAS}; {WITH_CONVS}", (BIASED_CONVS, *FC_AS_CONVS)) for depth in (11, 13, 16, 19)
    },
    "pytorchcv.models.alexnet.alexnet()": Deviation(
        "conv1 is not padded, which makes 54x54 of 224 pixels where the paper has 55x55",
        (Reading({"in": "3"}, {"padding": "2", "height": "55", "width": "55"}),),
    ),
    "pytorchcv.models.mobilenetv2.mobilenetv2b_w1()": Deviation(
        "the classifier is a 1x1 convolution without bias",
        (Reading({"kind": "conv", "in": "1280", "out": "1000"}, {"kind": "linear", "bias": "1"}),),
    ),
    "pytorchcv.models.nasnet.nasnet_4a1056()": Deviation(
        f"{SUBSAMPLED}; {CUT}",
        (*subsampled((32, 11, 56), (44, 22, 28), (264, 44, 14), (528, 88, 7)), *cut_maps((29, 28), (15, 14), (8, 7))),
    ),
    "pytorchcv.models.nasnet.nasnet_6a4032()": Deviation(
        f"{SUBSAMPLED}; {CUT}", (*subsampled((96, 42, 83), (168, 84, 42), (1008, 168, 21), (2016, 336, 11)), *cut_maps((22, 21)))
    ),
    "timm.models.nasnetalarge()": Deviation(
        f"{SUBSAMPLED}; {PADDED}",
        (*subsampled((96, 42, 83), (168, 84, 42), (1008, 168, 21), (2016, 336, 11)), *padded_before((83, 42, 21, 11), (5, 7))),
    ),
    "timm.models.nasnet.NASNetALarge(stem_size=32, num_features=1056)": Deviation(
        f"{SUBSAMPLED}; {PADDED}",
        (*subsampled((32, 11, 56), (44, 22, 28), (264, 44, 14), (528, 88, 7)), *padded_before((56, 28, 14, 7), (5, 7))),
    ),
    "timm.models.pnasnet5large()": Deviation(
        f"{SUBSAMPLED}; {PADDED}",
        (*subsampled((96, 54, 83), (270, 108, 42), (1080, 216, 21), (2160, 432, 11)), *padded_before((83, 42, 21, 11), (3, 5, 7))),
    ),
    "pytorchcv.models.pnasnet.pnasnet5large()": Deviation(
        f"{SUBSAMPLED}; {CUT}", (*subsampled((96, 54, 83), (270, 108, 42), (1080, 216, 21), (2160, 432, 11)), *cut_maps((22, 21)))
    ),
}


def table(name: str) -> list[dict[str, str]]:
    """The rows of a CSV file under its comment line."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        assert next(file).startswith("# Read by studies/reproduce/libraries.py from torch ")
        return list(csv.DictReader(file))


def library_layers() -> dict[str, Counter[Layer]]:
    """Model -> how often each of its layers is executed."""
    found: dict[str, Counter[Layer]] = {}
    for row in table("libraries_layers.csv"):
        found.setdefault(row["model"], Counter())[tuple(row[key] for key in FIELDS)] += int(row["count"])
    return found


MODELS = {row["model"]: row for row in table("libraries.csv")}
LAYERS = library_layers()


def word(value: IntPair) -> str:
    """One number per axis: (3, 3) -> '3', (1, 7) -> '1x7'."""
    height, width = pair(value)
    return str(height) if height == width else f"{height}x{width}"


def our_layers(graph: Graph) -> Counter[Layer]:
    """How often each layer stands in the graph."""
    found: Counter[Layer] = Counter()
    for node in graph:
        op = node.op
        if isinstance(op, Conv2d):
            spatial = map(word, (op.kernel_size, op.stride, op.padding, op.dilation))
            fields = ("conv", op.in_channels, op.out_channels, *spatial, op.groups, int(op.bias), *node.shape[2:])
        elif isinstance(op, Linear):
            fields = ("linear", op.in_features, op.out_features, 1, 1, 0, 1, 1, int(op.bias), 1, 1)
        else:
            continue
        found[tuple(map(str, fields))] += 1
    return found


def read_as(layers: Counter[Layer], readings: tuple[Reading, ...]) -> Counter[Layer]:
    """The layers under all readings, one after the other."""
    for reading in readings:
        layers = reading(layers)
    return layers


def weights(layers: Counter[Layer]) -> int:
    """Parameters of square convolutions and linear layers."""
    total = 0
    for layer, count in layers.items():
        fields = dict(zip(FIELDS, layer, strict=True))
        c1, c2, kernel, groups, bias = (int(fields[key]) for key in ("in", "out", "kernel", "groups", "bias"))
        total += count * (c2 * (c1 // groups) * kernel**2 + c2 * bias)
    return total


def test_the_tables_name_the_same_models_and_every_deviation_is_of_one_of_them() -> None:
    assert set(MODELS) == set(LAYERS)
    assert set(DEVIATIONS) < set(MODELS)
    assert {model.split(".")[0] for model in MODELS} == {"torchvision", "timm", "pytorchcv"}


@pytest.mark.parametrize("model", MODELS)
def test_a_network_has_the_layers_of_the_library_one_by_one(model: str) -> None:
    readings = DEVIATIONS[model].readings if model in DEVIATIONS else ()
    ours, theirs = our_layers(load_model(MODELS[model]["network"])), read_as(LAYERS[model], readings)
    assert (ours - theirs, theirs - ours) == (Counter(), Counter())


@pytest.mark.parametrize("model", MODELS)
def test_a_network_has_as_many_parameters_beside_its_layers_as_the_library(model: str) -> None:
    graph = load_model(MODELS[model]["network"])  # the rest: batch norms
    assert total_counts(graph).params - weights(our_layers(graph)) == int(MODELS[model]["params"]) - weights(LAYERS[model])


@pytest.mark.parametrize(("model", "i"), [(model, i) for model, deviation in DEVIATIONS.items() for i in range(len(deviation.readings))])
def test_without_any_one_of_its_readings_a_deviating_model_differs(model: str, i: int) -> None:
    readings = DEVIATIONS[model].readings
    assert read_as(LAYERS[model], readings[:i] + readings[i + 1 :]) != our_layers(load_model(MODELS[model]["network"]))


def test_a_layer_that_a_reading_does_not_name_stays_as_it_is() -> None:
    first: Layer = ("conv", "3", "96", "11", "4", "0", "1", "1", "1", "54", "54")
    second: Layer = ("conv", "4", *first[2:])
    padded: Layer = (*first[:5], "2", *first[6:])
    layers = Counter({first: 3, second: 2})
    assert Reading({"in": "3"}, {"padding": "2"})(layers) == Counter({padded: 3, second: 2})
    assert Reading({"in": ("3", "5")}, {"padding": "2"}, times=1)(layers) == Counter({padded: 1, first: 2, second: 2})
