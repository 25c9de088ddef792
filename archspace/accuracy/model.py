"""What the prior is computed from: `prior.json`, written by studies/prior, read and checked here, and evaluated in plain Python.

    error = floor + exp(intercept + sum of coefficient * feature + recipe)

Features are held inside the range of the networks of the fit, so that nothing is gained by leaving it. Needs no package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import exp
from pathlib import Path
from typing import Any

from archspace.accuracy.features import NAMES
from archspace.errors import FileError, UnknownNameError
from archspace.files import read_json

VERSION = 1
PRIOR_JSON = Path(__file__).parent / "prior.json"
REFERENCE = "paper"


@dataclass(frozen=True, slots=True)
class Band:
    """Spearman's correlation with published errors of held-out families' networks of `low_gmadds` to `high_gmadds`.

    With the rows' training recipes as other families tell their effects; `baselines` are the same form with one feature each. `alone`: of
    the networks without their recipes, as a search sees its candidates, for the prior and for the baselines' plain counts.
    """

    low_gmadds: float
    high_gmadds: float | None  # None: no upper end
    rows: int
    families: int
    spearman: float
    baselines: Mapping[str, float]
    alone: Mapping[str, float]

    @property
    def text(self) -> str:
        """'0.35-0.6 G', '<0.1 G', '>5 G'."""
        if self.high_gmadds is None:
            return f">{self.low_gmadds:g} G"
        return f"{self.low_gmadds:g}-{self.high_gmadds:g} G" if self.low_gmadds else f"<{self.high_gmadds:g} G"


@dataclass(frozen=True, slots=True)
class HeldOut:
    """How far off the prior is on families that its fit has not seen."""

    rows: int
    networks: int
    families: int
    mae_pct: float  # points of top-1 error, each network once
    coverage_80_share: float  # what intervals covered when each family's came from the others
    spearman: float  # timm's rows of all sizes
    bands: tuple[Band, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """The fitted prior. Ranges are those of the networks of the fit."""

    reference: str  # the recipe that an error is given for, in words
    floor_pct: float
    intercept: float
    coefficients: tuple[tuple[int, float], ...]  # (place in NAMES, per unit of the feature), those that are not 0
    ranges: tuple[tuple[float, float], ...]  # of every feature, in the order of NAMES
    means: tuple[float, ...]  # of every feature
    distance: tuple[tuple[float, ...], ...]  # what `distance_of` measures in: a row and a column per feature
    usual_distance: float  # 19 in 20 networks of the fit are at most that far off
    half_width_log: float  # of the 80 % interval, in log(error - floor)
    recipes: Mapping[str, float]  # name -> what it adds to log(error - floor); the reference's 0
    recipe_texts: Mapping[str, str]
    classes: int
    op_kinds: frozenset[str]
    held_out: HeldOut
    sources: tuple[str, ...]

    def log_excess(self, values: Sequence[float]) -> float:
        """log(error - floor) at the reference recipe, for the features in the order of `NAMES`."""
        total = self.intercept
        for place, coefficient in self.coefficients:
            low, high = self.ranges[place]
            total += coefficient * min(max(values[place], low), high)
        return total

    def error_pct(self, log_excess: float) -> float:
        """The top-1 error that a log(error - floor) stands for, at most 100."""
        return min(100.0, self.floor_pct + exp(log_excess))

    def recipe(self, name: str) -> float:
        """What a recipe adds to log(error - floor). Raises UnknownNameError."""
        if name not in self.recipes:
            raise UnknownNameError("training recipe", name, self.recipes)
        return self.recipes[name]

    def distance_of(self, values: Sequence[float]) -> float:
        """How unlike the networks of the fit one is, in all features together: its leverage (x - mean)^T (X^T X)^-1 (x - mean)."""
        apart = [value - mean for value, mean in zip(values, self.means, strict=True)]
        return sum([a * sum([r * b for r, b in zip(row, apart, strict=True)]) for a, row in zip(apart, self.distance, strict=True)])


@cache
def shipped() -> Model:
    """The prior that comes with archspace."""
    return load_model(PRIOR_JSON)


def load_model(path: Path) -> Model:
    """A fitted prior from its JSON. Raises FileError for another file, and for one of other features than this version's."""
    data = read_json(path)
    if not isinstance(data, dict) or data.get("archspace_prior") != VERSION:
        raise FileError(f"{path}: must be a fitted prior of version {VERSION}, as studies/prior writes it, but is not")
    try:
        model = _model(data)
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"{path}: a fitted prior must have every key in its form, but got {type(error).__name__}: {error}") from None
    size = len(NAMES)
    if any(low > high for low, high in model.ranges) or [len(row) for row in model.distance] != [size] * size:
        raise FileError(f"{path}: ranges must ascend, and the distance must have a row and a column for each of the {size} features")
    return model


def _model(data: Mapping[str, Any]) -> Model:
    features, held_out = data["features"], data["held_out"]
    unknown = set(features) ^ set(NAMES)
    if unknown:
        raise ValueError(f"features that only one of file and version knows: {', '.join(sorted(unknown))}")
    used = [name for name in NAMES if "coefficient" in features[name]]
    return Model(
        reference=data["reference"],
        floor_pct=float(data["floor_pct"]),
        intercept=float(data["intercept"]),
        coefficients=tuple([(NAMES.index(name), float(features[name]["coefficient"])) for name in used]),
        ranges=tuple([(float(features[name]["low"]), float(features[name]["high"])) for name in NAMES]),
        means=tuple([float(features[name]["mean"]) for name in NAMES]),
        distance=tuple([tuple([float(x) for x in row]) for row in data["distance"]]),
        usual_distance=float(data["usual_distance"]),
        half_width_log=float(data["half_width_log"]),
        recipes={REFERENCE: 0.0, **{name: float(row["effect"]) for name, row in data["recipes"].items()}},
        recipe_texts={REFERENCE: data["reference"], **{name: row["text"] for name, row in data["recipes"].items()}},
        classes=int(data["classes"]),
        op_kinds=frozenset(data["op_kinds"]),
        held_out=HeldOut(**{**held_out, "bands": tuple([Band(**band) for band in held_out["bands"]])}),
        sources=tuple(data["sources"]),
    )
