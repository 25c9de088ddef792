"""Multiply-adds as a processor array runs them: matrix products cut into tiles of one size, and tiles into whole waves."""

from __future__ import annotations

from dataclasses import dataclass

from archspace.ir.ops import Conv2d
from archspace.ir.ops.base import prod
from archspace.latency.kernel import Work


@dataclass(frozen=True, slots=True)
class Tile:
    """What one processor computes at a time, and how many compute at once."""

    outputs: int  # output channels
    rows: int  # output pixels, over the batch
    startup_depth: int  # what starting and ending a tile takes, in multiply-adds of each of its outputs
    processors: int


def tiled_gmadds(work: Work, tile: Tile, scale: float) -> float:
    """What the tiles of a kernel could have computed in the time that they take, in 1e9 multiply-adds.

    A convolution is one matrix product per group: rows (pixels of the batch) x output channels, with a depth of input channels times
    kernel area. Tiles at its borders take as long as whole ones, each has its startup, and the last wave of tiles as long as a full one:

        waves * processors * tile rows * tile outputs * (depth + startup)
        waves = ceil(groups * ceil(rows / tile rows) * ceil(channels / tile outputs) / processors)

    `scale` is the batch that is asked for over the graph's own.
    """
    op = work.op
    groups = op.groups if isinstance(op, Conv2d) else 1
    depth, channels = work.channels_per_group
    if isinstance(op, Conv2d):
        depth *= op.kernel_size**2 if isinstance(op.kernel_size, int) else prod(op.kernel_size)
    rows = round(work.madds * scale / (groups * channels * depth))
    tiles = groups * -(-rows // tile.rows) * -(-channels // tile.outputs)
    waves = -(-tiles // tile.processors)
    return waves * tile.processors * tile.rows * tile.outputs * (depth + tile.startup_depth) * 1e-9
