"""Every layer of torch.nn through the importer: none is opaque, but those that are named here with their reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from aten_cases import ROUTES, Case, assert_counts_what_torch_counts
from torch import Tensor, nn

from archspace.analysis import total_counts
from archspace.errors import LawError
from archspace.ir.ops import Opaque
from archspace.pytorch import from_torch
from archspace.pytorch.importer.assemble import graph_of

IMAGE = torch.empty(2, 8, 6, 10)
SEQUENCE = torch.empty(2, 8, 10)
VOLUME = torch.empty(2, 8, 4, 6, 10)
ROWS = torch.empty(2, 8)
STEPS = torch.empty(5, 2, 8)  # sequence first
IDS = torch.zeros(2, 5, dtype=torch.int64)
MAPS = {1: SEQUENCE, 2: IMAGE, 3: VOLUME}


def by_rank(name: str, *args: object, **kwargs: object) -> dict[str, tuple[Callable[[], nn.Module], tuple[Tensor, ...]]]:
    """A layer that torch has for one, two and three axes."""
    return {f"{name}{rank}d": (lambda rank=rank: getattr(nn, f"{name}{rank}d")(*args, **kwargs), (MAPS[rank],)) for rank in MAPS}


def on(x: Tensor, *names: str) -> dict[str, tuple[Callable[[], nn.Module], tuple[Tensor, ...]]]:
    """Layers that need no arguments."""
    return {name: (getattr(nn, name), (x,)) for name in names}


# Layer -> how to make it, and what to give it.
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[Tensor, ...]]] = {
    **on(IMAGE, "CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid", "Mish"),
    **on(IMAGE, "PReLU", "RReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink"),
    **on(IMAGE, "Softmax2d", "Dropout", "AlphaDropout", "FeatureAlphaDropout", "Identity", "Flatten"),
    "Threshold": (lambda: nn.Threshold(0.1, 20), (IMAGE,)),
    "Softmax": (lambda: nn.Softmax(1), (IMAGE,)),
    "Softmin": (lambda: nn.Softmin(1), (IMAGE,)),
    "LogSoftmax": (lambda: nn.LogSoftmax(1), (IMAGE,)),
    **by_rank("Dropout"),
    **by_rank("Conv", 8, 4, 3),
    **by_rank("ConvTranspose", 8, 4, 3),
    **by_rank("BatchNorm", 8),
    **by_rank("InstanceNorm", 8),
    **by_rank("MaxPool", 2),
    **by_rank("AvgPool", 2),
    **by_rank("LPPool", 2, 2),
    **by_rank("AdaptiveAvgPool", 2),
    **by_rank("AdaptiveMaxPool", 2),
    **by_rank("ZeroPad", 1),
    **by_rank("ConstantPad", 1, 0.5),
    **by_rank("CircularPad", 1),
    **by_rank("ReflectionPad", 1),
    **by_rank("ReplicationPad", 1),
    "SyncBatchNorm": (lambda: nn.SyncBatchNorm(8), (IMAGE,)),
    "GroupNorm": (lambda: nn.GroupNorm(2, 8), (IMAGE,)),
    "LayerNorm": (lambda: nn.LayerNorm(10), (IMAGE,)),
    "RMSNorm": (lambda: nn.RMSNorm(10), (IMAGE,)),
    "LocalResponseNorm": (lambda: nn.LocalResponseNorm(3), (IMAGE,)),
    "CrossMapLRN2d": (lambda: nn.CrossMapLRN2d(3), (IMAGE,)),
    "FractionalMaxPool2d": (lambda: nn.FractionalMaxPool2d(2, output_size=3), (IMAGE,)),
    "FractionalMaxPool3d": (lambda: nn.FractionalMaxPool3d(2, output_size=2), (VOLUME,)),
    "MaxUnpool1d": (lambda: nn.MaxUnpool1d(2), (SEQUENCE, torch.zeros(2, 8, 10, dtype=torch.int64))),
    "MaxUnpool2d": (lambda: nn.MaxUnpool2d(2), (IMAGE, torch.zeros(2, 8, 6, 10, dtype=torch.int64))),
    "MaxUnpool3d": (lambda: nn.MaxUnpool3d(2), (VOLUME, torch.zeros(2, 8, 4, 6, 10, dtype=torch.int64))),
    "Linear": (lambda: nn.Linear(8, 4), (ROWS,)),
    "Bilinear": (lambda: nn.Bilinear(8, 8, 4), (ROWS, ROWS)),
    "Unflatten": (lambda: nn.Unflatten(1, (2, 4)), (IMAGE,)),
    "Fold": (lambda: nn.Fold((6, 10), 3), (torch.empty(2, 72, 32),)),
    "Unfold": (lambda: nn.Unfold(3), (IMAGE,)),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), (IMAGE,)),
    "PixelUnshuffle": (lambda: nn.PixelUnshuffle(2), (IMAGE,)),
    "ChannelShuffle": (lambda: nn.ChannelShuffle(4), (IMAGE,)),
    "Upsample": (lambda: nn.Upsample(scale_factor=2), (IMAGE,)),
    "UpsamplingBilinear2d": (lambda: nn.UpsamplingBilinear2d(scale_factor=2), (IMAGE,)),
    "UpsamplingNearest2d": (lambda: nn.UpsamplingNearest2d(scale_factor=2), (IMAGE,)),
    "Embedding": (lambda: nn.Embedding(7, 8), (IDS,)),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(7, 8), (IDS,)),
    "LSTM": (lambda: nn.LSTM(8, 5), (STEPS,)),
    "GRU": (lambda: nn.GRU(8, 5), (STEPS,)),
    "RNN": (lambda: nn.RNN(8, 5), (STEPS,)),
    "LSTMCell": (lambda: nn.LSTMCell(8, 5), (ROWS,)),
    "GRUCell": (lambda: nn.GRUCell(8, 5), (ROWS,)),
    "RNNCell": (lambda: nn.RNNCell(8, 5), (ROWS,)),
    "MultiheadAttention": (lambda: nn.MultiheadAttention(8, 2), (STEPS, STEPS, STEPS)),
    "TransformerEncoderLayer": (lambda: nn.TransformerEncoderLayer(8, 2, 16), (STEPS,)),
    "TransformerDecoderLayer": (lambda: nn.TransformerDecoderLayer(8, 2, 16), (STEPS, STEPS)),
    "TransformerEncoder": (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2), (STEPS,)),
    "TransformerDecoder": (lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), 2), (STEPS, STEPS)),
    "Transformer": (lambda: nn.Transformer(8, 2, 1, 1, 16, batch_first=True), (STEPS, STEPS)),
    "CosineSimilarity": (nn.CosineSimilarity, (IMAGE, IMAGE)),
    "PairwiseDistance": (nn.PairwiseDistance, (ROWS, ROWS)),
}

# Layers that are opaque, and why.
OPAQUE = {
    "CrossMapLRN2d": "it writes into tensors that it was given to write into, which no op does",
    "EmbeddingBag": "how many rows become one is in its offsets",
    "FractionalMaxPool2d": "its windows are drawn at random",
    "FractionalMaxPool3d": "its windows are drawn at random",
    "MaxUnpool1d": "where its elements go is in its indices",
    "MaxUnpool2d": "where its elements go is in its indices",
    "MaxUnpool3d": "where its elements go is in its indices",
}

# Layers that a recording takes apart and torch.export keeps whole, in a call that several ops would have to read each other's results for.
OPAQUE_WHEN_EXPORTED = ("CosineSimilarity", "GRUCell", "LSTMCell", "PairwiseDistance", "RNNCell")

# Classes that are no layers of a network: what others are built of, what holds others.
NO_LAYERS = {
    "Container", "DataParallel", "Module", "ModuleDict", "ModuleList", "NLLLoss2d", "ParameterDict", "ParameterList", "RNNBase",
    "RNNCellBase", "Sequential",
}  # fmt: skip


def case_of(name: str) -> Case:
    make, inputs = LAYERS[name]
    return Case(make, (), inputs)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", LAYERS)
def test_no_layer_is_opaque_but_those_with_a_reason(name: str, route: str) -> None:
    graph = graph_of(ROUTES[route](case_of(name)))
    unknown = sorted({node.op.kind for node in graph if isinstance(node.op, Opaque)})
    assert bool(unknown) == (name in OPAQUE or (route == "exported" and name in OPAQUE_WHEN_EXPORTED)), unknown


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "Bilinear"])
def test_a_layer_counts_what_torch_counts(name: str) -> None:
    assert_counts_what_torch_counts(case_of(name))


def test_every_class_of_torch_nn_is_a_layer_here_or_none() -> None:
    classes = {name for name, one in vars(nn).items() if isinstance(one, type) and issubclass(one, nn.Module)}
    losses = {name for name in classes if name.endswith("Loss")}
    lazy = {name for name in classes if name.startswith("Lazy")}  # the others, before their first input
    assert classes - losses - lazy - NO_LAYERS == set(LAYERS)


def test_a_lazy_layer_must_have_seen_an_input() -> None:
    layer = nn.LazyLinear(4)
    with pytest.raises(LawError, match="LazyLinear"):
        from_torch(layer, ROWS)
    layer(torch.zeros(2, 8))
    assert total_counts(from_torch(layer, ROWS)).madds == 2 * 8 * 4
