"""A device's published times, what a form of the model makes of them, and how far off that is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from forms import Form, fitted, sample, unseen
from rows import CELLS, Row, appendix, networks, stacks

from archspace.latency.fit import Feature, Sample

SIZES = ("320x320", "480x640", "720x1080")


class Data:
    """The published times of a device, by what they are for."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.networks = networks(device, cells=False)
        self.cells = [row for row in networks(device, cells=True) if row.family in CELLS]
        self.stacks = stacks(device)
        self.appendix = appendix(device)
        self.ms = [row.ms for row in self.networks]
        self.families = [row.family for row in self.networks]

    def fit(self, form: Form) -> dict[Feature, float]:
        """The form's coefficients from all networks but the cells, and the stacks."""
        return fitted(form, [sample(row, form) for row in self.networks], self.stack_samples(form))

    def unseen(self, form: Form) -> tuple[float, ...]:
        """The networks, each family unseen by the fit."""
        return unseen(form, [sample(row, form) for row in self.networks], self.stack_samples(form))

    def stack_samples(self, form: Form) -> list[Sample]:
        """The stacks, as samples of no network."""
        return [sample(row, form, whole=False) for row in self.stacks]


def mape_pct(predicted: Sequence[float], rows: Sequence[Row]) -> float:
    return float(100 * np.mean([abs(p / row.ms - 1) for p, row in zip(predicted, rows, strict=True)]))


def by_size(predicted: Sequence[float], rows: Sequence[Row]) -> list[float]:
    """MAPE of each input size of the appendix."""
    parts = [[(p, row) for p, row in zip(predicted, rows, strict=True) if row.input == size] for size in SIZES]
    return [mape_pct([p for p, _ in part], [row for _, row in part]) for part in parts]
