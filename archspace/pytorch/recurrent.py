"""Recurrent layers that return their outputs alone: as a node of a graph they have one value."""

from __future__ import annotations

from torch import Tensor, nn


class LSTM(nn.LSTM):
    """nn.LSTM without its final states. x, and perhaps the initial hidden and cell state -> y."""

    def forward(self, x: Tensor, hidden: Tensor | None = None, cell: Tensor | None = None) -> Tensor:  # type: ignore[override]
        y: Tensor = super().forward(x, None if hidden is None or cell is None else (hidden, cell))[0]
        return y


class GRU(nn.GRU):
    """nn.GRU without its final state. x, and perhaps the initial state -> y."""

    def forward(self, x: Tensor, hidden: Tensor | None = None) -> Tensor:  # type: ignore[override]
        y: Tensor = super().forward(x, hidden)[0]
        return y


class RNN(nn.RNN):
    """nn.RNN without its final state. x, and perhaps the initial state -> y."""

    def forward(self, x: Tensor, hidden: Tensor | None = None) -> Tensor:  # type: ignore[override]
        y: Tensor = super().forward(x, hidden)[0]
        return y
