"""Other forms that the prior could have had, each by leave-one-family-out on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from fit import FEATURES, Form, leave_family_out, value_of
from judge import BANDS, judge
from rows import Row
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel
from tables import RECIPES

from archspace.accuracy import NAMES

BASELINES = ("log_params", "log_acts", "log_madds")


def forms() -> Iterator[tuple[str, Form]]:
    """Name and form of what is compared: the shipped one first."""
    shipped = Form()
    yield "shipped", shipped
    for name in BASELINES:
        yield f"{name} alone", replace(shipped, features=(name,))
    yield "log_madds, log_params, log_acts", replace(shipped, features=BASELINES)
    yield "all features", replace(shipped, features=NAMES)
    for name in FEATURES:
        yield f"without {name}", replace(shipped, features=tuple(one for one in FEATURES if one != name))
    for name in NAMES:
        if name not in FEATURES:
            yield f"with {name}", replace(shipped, features=(*FEATURES, name))
    for floor in (0.0, 5.0, 8.0, 9.0, 11.0, 12.0):
        yield f"floor {floor:g} %", replace(shipped, floor_pct=floor)
    for ridge in (1.0, 3.0, 30.0, 100.0):
        yield f"ridge {ridge:g}", replace(shipped, ridge=ridge)
    yield "no signs held", replace(shipped, signs=False)
    yield "no recipes", replace(shipped, recipes=())
    yield "a recipe's effect, none of tags", replace(shipped, recipes=("recipe",))
    yield "tags' effects, none of recipes", replace(shipped, recipes=("tag",))
    for ridge in (0.3, 3.0, 10.0):
        yield f"ridge on tags {ridge:g}", replace(shipped, tag_ridge=ridge)


def compare(rows: Sequence[Row]) -> Iterator[dict[str, str]]:
    """One line per form."""
    for name, form in forms():
        unseen = leave_family_out(rows, form)
        predicted = [form.floor_pct + float(np.exp(min(5.0, one.network + one.recipe))) for one in unseen]
        yield line(name, rows, predicted)
    for name, predict in LEARNERS.items():
        yield line(name, rows, by_family(rows, predict))


def line(name: str, rows: Sequence[Row], predicted: Sequence[float]) -> dict[str, str]:
    """A form's figures as a row of the table."""
    judged = judge(rows, predicted)
    found = {
        "form": name,
        "mae_pct": f"{judged.mae_pct:.2f}",
        "mae_timm_pct": f"{judged.mae_timm_pct:.2f}",
        "mae_papers_pct": f"{judged.mae_papers_pct:.2f}",
    }
    for (low, high), value in zip(BANDS, judged.bands, strict=True):
        found[f"spearman_{low:g}_{high or 'up':}_g"] = f"{value:.2f}"
    return found | {"spearman_all": f"{judged.overall:.2f}"}


Learner = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def by_family(rows: Sequence[Row], learner: Learner) -> list[float]:
    """Predictions of a learner that sees features and recipes as columns, family by family."""
    x = np.array([[*[value_of(row, name) for name in FEATURES], *[float(row.recipe == name) for name in RECIPES]] for row in rows])
    x = (x - x.mean(0)) / x.std(0)
    y = np.log(np.array([row.error_pct for row in rows]) - 10)
    weights, families = np.array([row.weight for row in rows]), np.array([row.family for row in rows])
    out = np.zeros(len(rows))
    for family in sorted(set(families)):
        held = families == family
        out[held] = learner(x[~held], y[~held], weights[~held], x[held])
    return [float(value) for value in 10 + np.exp(np.minimum(out, 5.0))]


def boosted(x: np.ndarray, y: np.ndarray, weights: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """Gradient-boosted trees, monotone in multiply-adds, parameters, activations and depth."""
    monotone = [-1] * 4 + [0] * (x.shape[1] - 4)
    model = HistGradientBoostingRegressor(
        max_iter=200, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=10, monotonic_cst=monotone, random_state=0
    )
    return np.asarray(model.fit(x, y, sample_weight=weights).predict(unseen))


def gaussian_process(x: np.ndarray, y: np.ndarray, weights: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """A Gaussian process: linear in everything, and a smooth remainder."""
    kernel = ConstantKernel(0.02) * DotProduct(1.0) + ConstantKernel(0.02) * RBF(4.0) + WhiteKernel(0.01)
    model = GaussianProcessRegressor(kernel, alpha=0.005 / weights, normalize_y=True, optimizer=None)
    return np.asarray(model.fit(x, y).predict(unseen))


LEARNERS: dict[str, Learner] = {
    "gradient-boosted trees, recipes as columns": boosted,
    "Gaussian process, recipes as columns": gaussian_process,
}
