"""Fitting a device: non-negative least squares on relative error, over features that are sums of kernels' terms.

A feature is (op type, coefficient), or ("", "constant_ms") and ("", "ms_per_input_mpixel") of the network as a whole. What a fit gives
for a feature is the coefficient of the same name in a profile. numpy and scipy are imported when something is fitted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from archspace.errors import LawError
from archspace.ir.graph import Graph
from archspace.latency.fusion import fused_kernels
from archspace.latency.kernel import Kernel
from archspace.latency.op_types import DEFAULT
from archspace.latency.terms import TERMS, Coefficients, kernel_terms
from archspace.latency.tiles import Tile

Feature = tuple[str, str]
Fitted = Mapping[Feature, float]
CONSTANT: Feature = ("", "constant_ms")
PIXELS: Feature = ("", "ms_per_input_mpixel")
SMALL_ERROR = 0.03  # relative; below it a robust fit is least squares


@dataclass(frozen=True, slots=True)
class Sample:
    """A measured network (or single op) as a fit sees it."""

    name: str
    family: str  # what is left out together
    measured_ms: float  # one batch
    features: Mapping[Feature, float]


def features_of(
    graph: Graph,
    *,
    fusion: str,
    batch: int,
    element_bytes: int,
    vector_width: int | None = None,
    tile: Tile | None = None,
    kernels: Iterable[Kernel] | None = None,
) -> dict[Feature, float]:
    """The features of a graph at a batch: the sums of its kernels' terms by op type, 1 for the constant, input megapixels of the batch.

    `kernels` are those of the graph under `fusion`, where they are at hand.
    """
    scale = batch / graph.input_shape[0]
    shape = graph.input_shape
    found: dict[Feature, float] = {CONSTANT: 1.0, PIXELS: shape[2] * shape[3] * batch * 1e-6 if len(shape) == 4 else 0.0}
    for kernel in fused_kernels(graph, fusion) if kernels is None else kernels:
        terms = kernel_terms(kernel.work, scale=scale, element_bytes=element_bytes, vector_width=vector_width, tile=tile)
        for name, term in zip(TERMS, terms, strict=True):
            if term:
                key = (kernel.op_type, name)
                found[key] = found.get(key, 0.0) + term
    return found


def predicted_ms(features: Mapping[Feature, float], fitted: Fitted) -> float:
    """The time that a fit gives: the sum over the features that it has a coefficient for."""
    return sum(fitted.get(key, 0.0) * value for key, value in features.items())


def fit(
    samples: Sequence[Sample],
    *,
    terms: Collection[str] | None = None,
    prior: Fitted | None = None,
    ridge: float = 0.0,
    robust_rounds: int = 0,
    family_power: float = 0.0,
    floor: Fitted | None = None,
) -> dict[Feature, float]:
    """The non-negative coefficients that minimise the mean squared relative error, plus a ridge toward a prior.

        mean over samples of (predicted / measured - 1)^2  +  ridge * mean over features of (c / prior - 1)^2

    A feature without a prior is pulled toward 0 by the share of the time that it makes up: (size * c)^2, where `size` is the root mean
    square of its value / measured_ms. `terms` names the coefficients that may be fitted (all by default, the two of the network too).
    `robust_rounds` repeats the fit with weights of 1 / |relative error|, toward least absolute error. `family_power` p weighs
    each sample of a family of n by n^-p, so that large families do not decide alone. `floor`: coefficients that
    are at least so much, instead of 0. Raises LawError without samples.
    """
    import numpy as np
    from scipy.optimize import nnls

    if not samples:
        raise LawError("a fit needs at least 1 sample, but got 0")
    keys = sorted({key for sample in samples for key in sample.features if terms is None or key[1] in terms})
    rows = np.array([[sample.features.get(key, 0.0) / sample.measured_ms for key in keys] for sample in samples])
    size = np.sqrt((rows**2).mean(axis=0))
    size[size == 0] = 1.0
    rows = rows / size
    target = np.ones(len(samples))
    expected = np.array([(prior or {}).get(key, 0.0) for key in keys]) * size
    aim = (expected > 0).astype(float)
    least = np.array([(floor or {}).get(key, 0.0) for key in keys]) * size
    pull = np.sqrt(ridge * len(samples) / max(1, len(keys))) / np.where(expected > 0, expected, 1.0)
    sizes = Counter(sample.family for sample in samples)
    of_family = np.array([sizes[sample.family] ** -family_power for sample in samples])
    of_family = np.sqrt(of_family / of_family.mean())
    weights = of_family
    for _ in range(robust_rounds + 1):
        stacked = np.vstack([rows * weights[:, None], np.diag(pull)])
        wanted = np.concatenate([(target - rows @ least) * weights, pull * (aim * expected - least)])
        solved = least + nnls(stacked, wanted, maxiter=100 * len(keys) + 1000)[0]
        weights = of_family / np.sqrt(np.maximum(np.abs(rows @ solved - target), SMALL_ERROR) / SMALL_ERROR)
    return dict(zip(keys, (solved / size).tolist(), strict=True))


class InFamily(Protocol):
    """What belongs to a family."""

    @property
    def family(self) -> str:
        """What is left out together."""


S = TypeVar("S", bound=InFamily)


def leave_family_out(samples: Sequence[S], fitting: Callable[[Sequence[S]], Callable[[S], float]]) -> tuple[float, ...]:
    """Each sample predicted, in ms, by a fit that has seen no sample of its family.

    `fitting` makes a predictor of the samples that it is given. Raises LawError with fewer than two families.
    """
    families = dict.fromkeys(sample.family for sample in samples)
    if len(families) < 2:
        raise LawError(f"leaving a family out needs at least 2 families, but got {len(families)}")
    found: dict[int, float] = {}
    for family in families:
        predictor = fitting([sample for sample in samples if sample.family != family])
        found.update({i: predictor(sample) for i, sample in enumerate(samples) if sample.family == family})
    return tuple([found[i] for i in range(len(samples))])


def coefficients_of(fitted: Fitted, *, digits: int = 4) -> dict[str, Coefficients]:
    """A profile's rows by op type, rounded to significant digits; "default" costs nothing unless it was fitted."""
    rows: dict[str, dict[str, float]] = {DEFAULT: {}}
    for (op_type, name), value in fitted.items():
        if op_type:
            row = rows.setdefault(op_type, {})  # a type that was fitted to cost nothing is not priced as a coarser one
            if value:
                row[name] = float(f"{value:.{digits}g}")
    return {op_type: Coefficients(**row) for op_type, row in rows.items()}
