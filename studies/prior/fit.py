"""The fit: log(error - floor) as a sum of features and of the training recipe, by ridge regression with signs, in scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rows import Row
from sklearn.linear_model import LinearRegression
from tables import RECIPES

from archspace.accuracy import NAMES

Vector = NDArray[np.float64]

# What may only lower the error, and only raise it: so that no network is said to get worse by what makes it larger.
LOWERS = {
    "log_madds", "log_params", "log_body_params", "log_acts", "log_depth", "log_last_channels", "log_last_width", "log_field",
    "log_depthwise_kernel", "params_stride", "gates_per_layer", "adds_per_layer", "kept_per_layer", "shifts_per_layer",
}  # fmt: skip
RAISES = {"unmixed_share"}
FEATURES = (
    "log_madds",
    "log_body_params",
    "log_acts",
    "log_depth",
    "log_last_width",
    "params_stride",
    "dense_share",
    "depthwise_share",
    "log_depthwise_kernel",
    "unmixed_share",
    "gates_per_layer",
    "kept_per_layer",
)


@dataclass(frozen=True, slots=True)
class Form:
    """A form of the prior. `recipes`: which of a recipe's and a tag's effects are fitted."""

    features: tuple[str, ...] = FEATURES
    floor_pct: float = 10.0
    ridge: float = 10.0  # on a coefficient of a feature in units of its standard deviation
    recipe_ridge: float = 0.1  # on what a recipe adds
    tag_ridge: float = 1.0  # on what a tag adds to its recipe
    recipes: tuple[str, ...] = ("recipe", "tag")
    signs: bool = True


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fit. `coefficients` are per unit of the feature."""

    form: Form
    intercept: float
    coefficients: dict[str, float]
    recipes: dict[str, float]
    tags: dict[str, float] = field(default_factory=dict)

    def of_network(self, row: Row) -> float:
        """log(error - floor) at the reference recipe."""
        return self.intercept + sum(c * value_of(row, name) for name, c in self.coefficients.items())

    def of_recipe(self, row: Row) -> float:
        """What the row's training adds: 0 at the reference, and where neither recipe nor tag was in the fit."""
        return self.recipes.get(row.recipe, 0.0) + self.tags.get(tag_of(row), 0.0)

    def error_pct(self, log_excess: float) -> float:
        """The error that a log(error - floor) stands for."""
        return self.form.floor_pct + float(np.exp(min(log_excess, 5.0)))


def value_of(row: Row, name: str) -> float:
    """A feature, or the logarithm of all parameters."""
    return row.logs("params") if name == "log_params" else float(getattr(row.features, name))


def tag_of(row: Row) -> str:
    """What a row's tag effect is kept under: the reference has none."""
    return "" if row.recipe == "paper" else f"{row.recipe}:{row.tag}"


def fit(rows: Sequence[Row], form: Form = Form()) -> Fitted:
    """Weighted ridge regression. Signs are held by fitting each free coefficient as a difference of two that are not negative."""
    raw = np.array([[value_of(row, name) for name in form.features] for row in rows])
    means, scales = raw.mean(0), raw.std(0)
    scales[scales < 1e-9] = 1.0
    recipe_names = [name for name in RECIPES if "recipe" in form.recipes and any(row.recipe == name for row in rows)]
    tag_names = sorted({tag_of(row) for row in rows} - {""}) if "tag" in form.recipes else []
    columns = [
        *((raw - means) / scales).T,
        *[np.array([float(row.recipe == name) for row in rows]) for name in recipe_names],
        *[np.array([float(tag_of(row) == name) for row in rows]) for name in tag_names],
        np.ones(len(rows)),
    ]
    ridges = [form.ridge] * len(form.features) + [form.recipe_ridge] * len(recipe_names) + [form.tag_ridge] * len(tag_names) + [1e-6]
    signs = [(-1 if n in LOWERS else 1 if n in RAISES else 0) if form.signs else 0 for n in form.features]
    signs += [0] * (len(columns) - len(signs))
    y = np.log(np.array([row.error_pct for row in rows]) - form.floor_pct)
    found = _signed_ridge(np.column_stack(columns), y, np.array([row.weight for row in rows]), np.array(ridges), signs)
    n, m = len(form.features), len(recipe_names)
    per_unit = found[:n] / scales
    return Fitted(
        form,
        float(found[-1] - per_unit @ means),
        dict(zip(form.features, map(float, per_unit), strict=True)),
        dict(zip(recipe_names, map(float, found[n : n + m]), strict=True)),
        dict(zip(tag_names, map(float, found[n + m : -1]), strict=True)),
    )


def _signed_ridge(x: Vector, y: Vector, weights: Vector, ridges: Vector, signs: Sequence[int]) -> Vector:
    """argmin of sum w (y - x b)^2 + sum ridge b^2 with the signs asked for."""
    root = np.sqrt(weights)
    a = np.vstack([x * root[:, None], np.diag(np.sqrt(ridges))])
    b = np.concatenate([y * root, np.zeros(x.shape[1])])
    parts = [(i, s) for i, sign in enumerate(signs) for s in ((1, -1) if sign == 0 else (sign,))]
    wide = np.column_stack([s * a[:, i] for i, s in parts])
    found = LinearRegression(fit_intercept=False, positive=True).fit(wide, b).coef_
    out = np.zeros(x.shape[1])
    for (i, s), value in zip(parts, found, strict=True):
        out[i] += s * value
    return out


@dataclass(frozen=True, slots=True)
class Unseen:
    """log(error - floor) of a row by a fit that has not seen its family: of the network, and of its training beside."""

    network: float
    recipe: float


Fit = Callable[[Sequence[Row]], Fitted]


def leave_family_out(rows: Sequence[Row], form: Form = Form()) -> list[Unseen]:
    """Each row by a fit on the other families; recipe effects are those of the other families too."""
    found: dict[int, Unseen] = {}
    for family in sorted({row.family for row in rows}):
        fitted = fit([row for row in rows if row.family != family], form)
        found |= {i: Unseen(fitted.of_network(row), fitted.of_recipe(row)) for i, row in enumerate(rows) if row.family == family}
    return [found[i] for i in range(len(rows))]


assert set(FEATURES) <= set(NAMES)
