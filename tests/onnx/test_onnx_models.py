"""Networks beyond the zoo, exported by torch: the multiply-adds of the file are those of torch's flop counter."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from archspace.analysis import analyze
from archspace.ir import Graph
from archspace.ir.ops import (
    GELU,
    GRU,
    LSTM,
    ConvNd,
    ConvTransposeNd,
    Embedding,
    FinalState,
    GroupNorm,
    LayerNorm,
    MatMul,
    Parameter,
    PixelShuffle,
    RMSNorm,
    ScaledDotProductAttention,
    SiLU,
    Softmax,
)
from archspace.onnx import from_onnx


class SmallViT(nn.Module):
    """A vision transformer: patches, class token, position embedding, encoder layers."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 32, 8, stride=8)
        self.token = nn.Parameter(torch.zeros(1, 1, 32))
        self.position = nn.Parameter(torch.zeros(1, 17, 32))
        self.blocks = nn.ModuleList([nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, activation="gelu") for _ in range(2)])
        self.norm = nn.LayerNorm(32)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([self.token, self.patch(x).flatten(2).transpose(1, 2)], 1) + self.position
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


class Recurrent(nn.Module):
    """Words in; a bidirectional LSTM of two layers and a GRU; all their states out."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 12)
        self.lstm = nn.LSTM(12, 16, 2, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(32, 8)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x, (hidden, cell) = self.lstm(self.words(x))
        y, last = self.gru(x)
        return y, hidden, cell, last


class Shapes(nn.Module):
    """Convolution along one and three axes, and transposed along one, two and three."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Conv1d(4, 8, 3, padding=1)
        self.longer = nn.ConvTranspose1d(8, 6, 4, stride=2, padding=1)
        self.larger = nn.ConvTranspose2d(2, 4, 3, stride=2, padding=1, output_padding=1, groups=2)
        self.volume = nn.Conv3d(1, 4, 3, padding=1)
        self.thicker = nn.ConvTranspose3d(4, 2, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.larger(self.longer(self.line(x)).reshape(1, 2, 6, 12))
        return self.thicker(self.volume(x.unsqueeze(1)))


class Handmade(nn.Module):
    """Attention by hand, whose scores are written to memory; norms; an upsampling by pixel shuffle."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(32, 96)
        self.rms = nn.RMSNorm(32)
        self.group = nn.GroupNorm(4, 16)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.rms(x)).reshape(1, 16, 3, 4, 8).permute(2, 0, 3, 1, 4)
        scores = (q @ k.transpose(-2, -1)) * 8**-0.5
        x = x + (scores.softmax(-1) @ v).transpose(1, 2).reshape(1, 16, 32)
        x = functional.silu(self.group(x)).reshape(1, 16, 4, 8)
        return functional.pixel_shuffle(x, 2)


def drawn(module: nn.Module) -> nn.Module:
    """The module with weights that all differ: the exporter keeps equal ones once, and drops zeros."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module.eval()


def exported(module: nn.Module, x: Tensor, path: Path) -> Graph:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's exporter
        torch.onnx.export(module, (x,), path, dynamo=True, verbose=False, external_data=False)
    return from_onnx(path, strict=True)


def torch_madds(module: nn.Module, x: Tensor) -> int:
    """What torch counts on tensors without storage, where no fused kernel hides attention."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            module.to("meta")(x.to("meta"))
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return counter.get_total_flops() // 2


CASES = {
    "vit": (SmallViT, torch.zeros(1, 3, 32, 32), {LayerNorm: 5, GELU: 2, ScaledDotProductAttention: 2, Parameter: 2}),
    "recurrent": (Recurrent, torch.zeros((2, 7), dtype=torch.int64), {Embedding: 1, LSTM: 2, GRU: 1, FinalState: 5}),
    "shapes": (Shapes, torch.zeros(1, 4, 12), {ConvNd: 2, ConvTransposeNd: 3}),
    "handmade": (Handmade, torch.zeros(1, 16, 32), {RMSNorm: 1, GroupNorm: 1, MatMul: 2, Softmax: 1, SiLU: 1, PixelShuffle: 1}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_files_counts_are_torchs(name: str, tmp_path: Path) -> None:
    kind, x, kinds = CASES[name]
    module = drawn(kind())
    graph = exported(module, x, tmp_path / f"{name}.onnx")
    totals = analyze(graph).totals
    assert totals.params == sum(parameter.numel() for parameter in module.parameters())
    assert totals.madds == torch_madds(module, x)
    assert {one: sum(type(node.op) is one for node in graph) for one in kinds} == kinds


def test_names_and_blocks_come_from_the_exporters_metadata(tmp_path: Path) -> None:
    graph = exported(drawn(SmallViT()), torch.zeros(1, 3, 32, 32), tmp_path / "vit.onnx")
    assert graph.name == "vit"
    assert graph["patch"].block == "patch"
    assert (graph["token"].block, graph["position"].block) == ("token", "position")
    inside = [node for node in graph if node.block == "blocks.1"]
    assert {"blocks.1.norm1", "blocks.1.linear2", "blocks.1.gelu", "blocks.1.self_attn.out_proj"} <= {node.name for node in inside}
    assert graph["blocks.1.self_attn.scaled_dot_product_attention"].op == ScaledDotProductAttention()
    assert {node.stage for node in inside} == {"blocks"}
