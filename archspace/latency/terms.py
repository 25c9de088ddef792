"""What a kernel's time is a sum of: one term per coefficient, and the cause that it belongs to.

A coefficient times its term is milliseconds. Bytes and multiply-adds are in units of 1e9; a term that scales with the batch is for the
batch that is asked for, weights and kernels are not scaled.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from archspace.ir.ops import Conv2d
from archspace.latency.kernel import Work
from archspace.latency.tiles import Tile, tiled_gmadds


@dataclass(frozen=True, slots=True)
class Coefficients:
    """What a kernel of one op type costs. All are at least 0; G is 1e9, bytes are of the profile's dtype."""

    us_per_kernel: float = 0.0
    us_per_group: float = 0.0  # of a convolution with more than one
    ms_per_gmadd: float = 0.0  # a of the design's formula
    ms_per_gmadd_per_cin: float = 0.0  # a * p: times madds / (input channels per group)
    ms_per_gmadd_per_cout: float = 0.0  # a * q: times madds / (output channels per group)
    ms_per_gmadd_padded: float = 0.0  # madds as if channels per group were rounded up to the vector width, or madds in whole tiles
    ms_per_gmadd_unaligned: float = 0.0  # madds of kernels whose channels do not fit the runtime's fast path
    ms_per_gb_in: float = 0.0
    ms_per_gb_out: float = 0.0
    ms_per_gb_weights: float = 0.0
    ms_per_gb_unaligned: float = 0.0  # bytes in and out of kernels whose channels do not fit the runtime's fast path

    @property
    def values(self) -> tuple[float, ...]:
        """In the order of TERMS."""
        return tuple([getattr(self, name) for name in TERMS])


TERMS = tuple(f.name for f in fields(Coefficients))
OVERHEAD = slice(0, 2)
COMPUTE = slice(2, 7)
MEMORY = slice(7, 11)


def kernel_terms(work: Work, *, scale: float, element_bytes: int, vector_width: int | None, tile: Tile | None = None) -> tuple[float, ...]:
    """The terms of one kernel in the order of TERMS.

    `scale` is the batch that is asked for over the graph's own. Padding is to a tile where the device has one, else to its vector
    width; without either nothing is padded.
    """
    gigabytes = element_bytes * 1e-9
    scale = scale if work.is_batched else 1.0
    read, written = work.in_elems * scale * gigabytes, work.out_elems * scale * gigabytes
    memory = (read, written, work.weight_elems * gigabytes, read + written if work.is_unaligned else 0.0)
    if not work.madds:
        return (0.0 if work.is_part else 1e-3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, *memory)
    op = work.op
    groups = op.groups if isinstance(op, Conv2d) else 1
    cin, cout = work.channels_per_group
    gmadds = work.madds * scale * 1e-9
    # A depthwise convolution runs over its channels as vectors: it is their number that is rounded up.
    channels = (groups,) if cin == cout == 1 < groups else (cin, cout)
    padded = tiled_gmadds(work, tile, scale) if tile else gmadds
    for count in channels if vector_width and not tile else ():
        padded *= _round_up(count, vector_width or 1) / count
    unaligned = gmadds if work.is_unaligned else 0.0
    return (1e-3, groups * 1e-3 if groups > 1 else 0.0, gmadds, gmadds / cin, gmadds / cout, padded, unaligned, *memory)


def _round_up(count: int, to: int) -> int:
    return -(-count // to) * to
