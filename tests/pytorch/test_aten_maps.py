"""The ATen table's overloads that normalise and activate."""

from __future__ import annotations

import pytest
import torch
from aten_cases import (
    POSITIVE,
    SEQUENCE,
    VOLUME,
    Case,
    X,
    Y,
    assert_becomes_its_ops,
    assert_computes_the_same,
    assert_counts_what_torch_counts,
    assert_is_opaque,
    aten,
    between,
    call,
    drawn,
    layer,
    routed,
)
from torch import Tensor, nn
from torch.nn import functional as f

from archspace.ir.ops import (
    ELU,
    GELU,
    GLU,
    BatchNorm2d,
    BatchNormNd,
    Dropout,
    GroupNorm,
    Hardsigmoid,
    Hardswish,
    InstanceNorm,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    Mish,
    Pointwise,
    PReLU,
    ReLU,
    ReLU6,
    RMSNorm,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from archspace.pytorch.importer.aten import ACTIVATING, NORMALISING


class PlainBatchNorm(nn.BatchNorm2d):
    """Batch norm by one of the overloads that an exported program is taken apart into."""

    def forward(self, x: Tensor) -> Tensor:
        made = aten._native_batch_norm_legit_no_training.default(x, self.weight, self.bias, self.running_mean, self.running_var, 0.1, 1e-5)
        return made[0]


class NativeBatchNorm(nn.BatchNorm2d):
    """Batch norm by the other."""

    def forward(self, x: Tensor) -> Tensor:
        return aten.native_batch_norm.default(x, self.weight, self.bias, self.running_mean, self.running_var, False, 0.1, 1e-5)[0]


# Overload, and what is special -> a call of it and the ops that it becomes.
NORMALISATIONS: dict[str, Case] = {
    "_fused_rms_norm.default": call(
        lambda x, w: aten._fused_rms_norm.default(x, [10], w, 1e-6)[0],
        RMSNorm((10,), 1e-6),
        weights={"weight": drawn(10)},
        routes=("exported",),
    ),
    "_native_batch_norm_legit_no_training.default": layer(lambda: PlainBatchNorm(12), BatchNorm2d(12)),
    "batch_norm.default": layer(lambda: nn.BatchNorm2d(12, eps=1e-3), BatchNorm2d(12, eps=1e-3)),
    "batch_norm.default, along one axis": layer(lambda: nn.BatchNorm1d(12), BatchNormNd(12), inputs=(SEQUENCE,)),
    "batch_norm.default, without weights": layer(lambda: nn.BatchNorm2d(12, affine=False), BatchNormNd(12, affine=False)),
    "group_norm.default": layer(lambda: nn.GroupNorm(3, 12), GroupNorm(3, 12)),
    "group_norm.default, without weights": layer(lambda: nn.GroupNorm(3, 12, affine=False), GroupNorm(3, 12, affine=False)),
    "instance_norm.default": layer(lambda: nn.InstanceNorm2d(12, affine=True), InstanceNorm(12, affine=True)),
    "instance_norm.default, without weights": layer(lambda: nn.InstanceNorm3d(12), InstanceNorm(12), inputs=(VOLUME,)),
    "instance_norm.default, by running statistics": layer(
        lambda: nn.InstanceNorm2d(12, affine=True, track_running_stats=True), BatchNorm2d(12)
    ),
    "layer_norm.default": layer(lambda: nn.LayerNorm((6, 10), eps=1e-6), LayerNorm((6, 10), 1e-6)),
    "layer_norm.default, without bias": layer(lambda: nn.LayerNorm(10, bias=False), LayerNorm((10,), bias=False)),
    "layer_norm.default, without weights": layer(
        lambda: nn.LayerNorm(10, elementwise_affine=False), LayerNorm((10,), affine=False, bias=False)
    ),
    "native_batch_norm.default": layer(lambda: NativeBatchNorm(12), BatchNorm2d(12)),
    "native_group_norm.default": call(
        lambda x, w, b: aten.native_group_norm.default(x, w, b, 2, 12, 60, 4, 1e-5)[0],
        GroupNorm(4, 12),
        weights={"weight": drawn(12), "bias": drawn(12, seed=1)},
    ),
    "native_layer_norm.default": call(
        lambda x, w, b: aten.native_layer_norm.default(x, [10], w, b, 1e-5)[0],
        LayerNorm((10,)),
        weights={"weight": drawn(10), "bias": drawn(10, seed=1)},
    ),
    "rms_norm.default": layer(lambda: nn.RMSNorm(10), RMSNorm((10,))),
    "rms_norm.default, without weights": layer(
        lambda: nn.RMSNorm((6, 10), eps=1e-3, elementwise_affine=False), RMSNorm((6, 10), 1e-3, affine=False)
    ),
}

ACTIVATIONS: dict[str, Case] = {
    "_log_softmax.default": call(lambda x: aten._log_softmax.default(x, 1, False), LogSoftmax(1)),
    "_prelu_kernel.default": call(
        lambda x, w: aten._prelu_kernel.default(x, w.view(1, 12, 1, 1)), PReLU(12), weights={"weight": drawn(12)}
    ),
    "_safe_softmax.default": call(lambda x: aten._safe_softmax.default(x, -1), Softmax(-1)),
    "_softmax.default": call(lambda x: aten._softmax.default(x, 3, False), Softmax(3)),
    "alpha_dropout.default": layer(lambda: nn.AlphaDropout(0.2), Dropout(0.2)),
    "celu.default": call(lambda x: f.celu(x, 0.7), Pointwise("celu", (0.7,))),
    "clamp.Tensor": call(lambda x, low, high: x.clamp(low, high), Pointwise("clamp"), inputs=(X, -POSITIVE, POSITIVE)),
    "clamp.Tensor, from below": call(lambda x, low: x.clamp(min=low), Pointwise("maximum"), inputs=(X, Y)),
    "clamp.Tensor, from above": call(lambda x, high: x.clamp(max=high), Pointwise("minimum"), inputs=(X, Y)),
    "clamp.default": call(lambda x: x.clamp(-0.5, 1), Pointwise("clamp", (-0.5, 1))),
    "clamp.default, from 0": call(lambda x: x.clamp(min=0), ReLU()),
    "clamp.default, 0 to 6": call(lambda x: x.clamp(0, 6), ReLU6()),
    "clamp.default, from 1": call(lambda x: x.clamp(min=1), Pointwise("clamp", (1, None))),
    "clamp_max.Tensor": call(torch.clamp_max, Pointwise("minimum"), inputs=(X, Y)),
    "clamp_max.default": call(lambda x: x.clamp_max(0.5), Pointwise("clamp", (None, 0.5))),
    "clamp_min.Tensor": call(torch.clamp_min, Pointwise("maximum"), inputs=(X, Y)),
    "clamp_min.default": call(lambda x: x.clamp_min(0.5), Pointwise("clamp", (0.5, None))),
    "clamp_min.default, 0": call(lambda x: x.clamp_min(0), ReLU()),
    "clip.default": call(lambda x: x.clip(-1, 1), Pointwise("clamp", (-1, 1))),
    "dropout.default": layer(lambda: nn.Dropout(0.1), Dropout(0.1)),
    "dropout.default, of nothing": layer(lambda: nn.Sequential(nn.Dropout(0.0), nn.ReLU()), ReLU()),
    "elu.default": call(lambda x: f.elu(x, 0.5), ELU(0.5)),
    "feature_alpha_dropout.default": layer(lambda: nn.FeatureAlphaDropout(0.2), Dropout(0.2)),
    "feature_dropout.default": layer(lambda: nn.Dropout2d(0.2), Dropout(0.2)),
    "gelu.default": call(f.gelu, GELU()),
    "gelu.default, by tanh": call(lambda x: f.gelu(x, approximate="tanh"), GELU("tanh")),
    "glu.default": call(lambda x: f.glu(x, 1), GLU(1)),
    "hardshrink.default": call(lambda x: f.hardshrink(x, 0.3), Pointwise("hardshrink", (0.3,))),
    "hardsigmoid.default": call(f.hardsigmoid, Hardsigmoid()),
    "hardswish.default": call(f.hardswish, Hardswish()),
    "hardtanh.default": call(f.hardtanh, Pointwise("hardtanh", (-1.0, 1.0))),
    "hardtanh.default, 0 to 6": call(lambda x: f.hardtanh(x, 0.0, 6.0), ReLU6()),
    "hardtanh.default, 0 to 1": call(lambda x: f.hardtanh(x, 0.0, 1.0), Pointwise("hardtanh", (0.0, 1.0))),
    "leaky_relu.default": call(lambda x: f.leaky_relu(x, 0.2), LeakyReLU(0.2)),
    "log_sigmoid.default": call(f.logsigmoid, Pointwise("logsigmoid")),
    "log_sigmoid_forward.default": call(lambda x: aten.log_sigmoid_forward.default(x)[0], Pointwise("logsigmoid")),
    "log_softmax.int": call(lambda x: f.log_softmax(x, -1), LogSoftmax(-1)),
    "mish.default": call(f.mish, Mish()),
    "prelu.default": layer(lambda: nn.PReLU(12), PReLU(12)),
    "prelu.default, one slope": layer(lambda: nn.PReLU(), PReLU(1)),
    "relu.default": call(torch.relu, ReLU()),
    "relu6.default": call(f.relu6, ReLU6()),
    "rrelu.default": layer(lambda: nn.RReLU(0.1, 0.3), LeakyReLU(0.2)),
    "rrelu_with_noise.default": call(lambda x: aten.rrelu_with_noise.default(x, torch.empty_like(x), 0.25, 0.75, False), LeakyReLU(0.5)),
    "selu.default": call(f.selu, Pointwise("selu")),
    "sigmoid.default": call(torch.sigmoid, Sigmoid()),
    "silu.default": call(f.silu, SiLU()),
    "softmax.int": call(lambda x: x.softmax(1), Softmax(1)),
    "softmax.int, in another type": call(lambda x: f.softmax(x, -1, dtype=torch.float64), Pointwise("to", ("float64",)), Softmax(-1)),
    "softplus.default": call(lambda x: f.softplus(x, 2, 1), Pointwise("softplus", (2, 1))),
    "softshrink.default": call(lambda x: f.softshrink(x, 0.3), Pointwise("softshrink", (0.3,))),
    "tanh.default": call(torch.tanh, Tanh()),
    "threshold.default": call(lambda x: f.threshold(x, 0.1, -2.0), Pointwise("threshold", (0.1, -2.0))),
}

NEG = Pointwise("neg")

# Calls that write into what they read: each is what the plain one is, behind what made its tensor.
IN_PLACE: dict[str, Case] = {
    "celu_.default": call(lambda x: f.celu(-x, 0.7, inplace=True), NEG, Pointwise("celu", (0.7,))),
    "clamp_.default": call(lambda x: (-x).clamp_(0, 6), NEG, ReLU6()),
    "clamp_min_.default": call(lambda x: (-x).clamp_min_(0), NEG, ReLU()),
    "elu_.default": call(lambda x: f.elu(-x, inplace=True), NEG, ELU()),
    "exp_.default": call(lambda x: (-x).exp_(), NEG, Pointwise("exp")),
    "gelu_.default": call(lambda x: aten.gelu_.default(-x), NEG, GELU()),
    "hardsigmoid_.default": call(lambda x: f.hardsigmoid(-x, inplace=True), NEG, Hardsigmoid()),
    "hardswish_.default": call(lambda x: f.hardswish(-x, inplace=True), NEG, Hardswish()),
    "hardtanh_.default": call(lambda x: f.hardtanh(-x, inplace=True), NEG, Pointwise("hardtanh", (-1.0, 1.0))),
    "leaky_relu_.default": call(lambda x: f.leaky_relu(-x, inplace=True), NEG, LeakyReLU()),
    "mish_.default": call(lambda x: f.mish(-x, inplace=True), NEG, Mish()),
    "relu6_.default": call(lambda x: aten.relu6_.default(-x), NEG, ReLU6()),
    "relu_.default": call(lambda x: f.relu(-x, inplace=True), NEG, ReLU()),
    "selu_.default": call(lambda x: f.selu(-x, inplace=True), NEG, Pointwise("selu")),
    "sigmoid_.default": call(lambda x: (-x).sigmoid_(), NEG, Sigmoid()),
    "silu_.default": call(lambda x: f.silu(-x, inplace=True), NEG, SiLU()),
    "tanh_.default": call(lambda x: (-x).tanh_(), NEG, Tanh()),
    "threshold_.default": call(lambda x: f.threshold(-x, 0.1, 2.0, inplace=True), NEG, Pointwise("threshold", (0.1, 2.0))),
}

CASES = NORMALISATIONS | ACTIVATIONS | IN_PLACE

# Calls of the same overloads that are something else.
OTHERS: dict[str, Case] = {
    "batch norm by the batch": call(lambda x: f.batch_norm(x, None, None, training=True)),
    "batch norm by the batch, statistics given": call(
        lambda x, m, v: f.batch_norm(x, m, v, training=True), weights={"running_mean": torch.zeros(12), "running_var": torch.ones(12)}
    ),
    "batch norm by computed statistics": call(lambda x, m, v: f.batch_norm(x, m, v), inputs=(X, drawn(12), between(0.5, 1.5, 12))),
    "layer norm by a computed scale": call(lambda x, w: f.layer_norm(x, (10,), w), inputs=(X, drawn(10))),
    "rms norm by a computed scale": call(lambda x, w: f.rms_norm(x, (10,), w), inputs=(X, drawn(10))),
    "group norm by a computed scale": call(lambda x, w: f.group_norm(x, 3, w), inputs=(X, drawn(12))),
    "instance norm by a computed scale": call(lambda x, w: f.instance_norm(x, weight=w), inputs=(X, drawn(12))),
    "prelu by a computed slope": call(f.prelu, inputs=(X, drawn(12))),
    "elu with scales of its own": call(lambda x: aten.elu.default(x, 1.0, 2.0, 1.0)),
    "rrelu at random": call(lambda x: f.rrelu(x, training=True)),
}


@pytest.mark.parametrize(("key", "route"), routed(CASES))
def test_a_map_becomes_its_ops(key: str, route: str) -> None:
    assert_becomes_its_ops(key, CASES[key], route)


@pytest.mark.parametrize("key", CASES)
def test_a_map_counts_what_torch_counts(key: str) -> None:
    assert_counts_what_torch_counts(CASES[key])


@pytest.mark.parametrize("key", CASES)
def test_a_map_built_of_its_ops_computes_the_same(key: str) -> None:
    assert_computes_the_same(CASES[key])


@pytest.mark.parametrize("key", OTHERS)
def test_what_only_looks_like_a_known_map_is_opaque(key: str) -> None:
    assert_is_opaque(OTHERS[key])


def test_every_row_that_normalises_or_activates_has_a_case() -> None:
    assert {key.partition(",")[0] for key in NORMALISATIONS} == set(NORMALISING)
    assert {key.partition(",")[0] for key in ACTIVATIONS} == set(ACTIVATING)
