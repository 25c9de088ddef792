"""Device profiles: what a device's fit says of a runtime, and where the shipped ones are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import pi, sqrt
from pathlib import Path

from archspace.analysis import DTYPE_BYTES
from archspace.latency.op_types import OP_TYPE_NAMES, priced_as
from archspace.latency.terms import Coefficients
from archspace.latency.tiles import Tile

DEVICES = Path(__file__).parent / "devices"
NORMAL_80 = 1.2816 * sqrt(pi / 2)  # half-width of the central 80 % of a normal, in mean absolute deviations
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Ranges:
    """What the fit has seen, per image: low and high, both included; None is not checked."""

    kernels: Range | None = None
    madds: Range | None = None
    input_pixels: Range | None = None
    batch: Range | None = None  # None: the profile's own batch alone
    op_types: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class FitError:
    """How far off the fit is on networks it has not seen."""

    method: str
    mape_pct: float  # mean absolute error in percent of the measured time
    within_10_pct_share: float  # share of networks
    kendall_tau: float
    networks: int
    families: int
    spearman: float | None = None
    interval_80_pct: float | None = None  # 80 % of those networks took within this many percent of their prediction
    coverage_80_share: float | None = None  # the share that such intervals covered when each family's came from the others


@dataclass(frozen=True, slots=True)
class Profile:
    """A device with its runtime, as a fit of t = constant + pixels + sum over fused kernels."""

    device: str
    title: str
    runtime: str
    threads: int | None
    batch: int
    dtype: str
    fusion: str
    constant_ms: float
    ms_per_input_mpixel: float
    coefficients: Mapping[str, Coefficients]  # by op type; one without a row takes its coarser type's, then "default"; no merging
    ranges: Ranges
    error: FitError
    provenance: str
    source: str
    vector_width: int | None = None  # channels of the dtype that the device computes at once; None: not known
    backend: str | None = None  # what `archspace measure --backend` would have to be to time the same; None: not ours to time
    on: str | None = None  # cpu or cuda, where `backend` is given
    noise_pct: float | None = None  # how far the measurement repeated
    residuals_pct: Mapping[str, float] = field(default_factory=dict)  # network -> 100 * (predicted unseen / measured - 1)
    samples: str | None = None  # the CSV of raw samples beside the profile
    tile: Tile | None = None  # what ms_per_gmadd_padded rounds up to, instead of the vector width

    @property
    def element_bytes(self) -> int:
        """Bytes of one element of the profile's dtype."""
        return DTYPE_BYTES[self.dtype]

    @property
    def interval_pct(self) -> float:
        """Half-width of the 80 % interval in percent of a prediction.

        The stated one, which counts what lay inside; without it 1.606 times the error's MAPE, which supposes normal residuals.
        """
        stated = self.error.interval_80_pct
        return NORMAL_80 * self.error.mape_pct if stated is None else stated

    def prices(self) -> Mapping[str, Coefficients]:
        """What each op type is priced at."""
        return {name: self.coefficients[priced_as(name, self.coefficients)] for name in OP_TYPE_NAMES}
