"""Rank correlation within strata: only what shares a stratum is compared."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

PERMUTATIONS = 9999
Array = np.ndarray


def ranks(values: Array, strata: Array) -> Array:
    """Mid-ranks within each stratum, less their mean."""
    out = np.zeros(len(values))
    for stratum in np.unique(strata):
        of = strata == stratum
        out[of] = rankdata(values[of]) - (of.sum() + 1) / 2
    return out


def spearman(x: Array, y: Array, strata: Array) -> float | None:
    """Of one stratum Spearman's rho; of several that of the centred ranks. None where nothing varies."""
    a, b = ranks(x, strata), ranks(y, strata)
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else None


def kendall(x: Array, y: Array, strata: Array) -> float | None:
    """Kendall's tau-b over the pairs that share a stratum. None where nothing varies."""
    i, j = np.triu_indices(len(x), 1)
    i, j = i[strata[i] == strata[j]], j[strata[i] == strata[j]]
    a, b = np.sign(x[i] - x[j]), np.sign(y[i] - y[j])
    norm = np.sqrt(np.abs(a).sum() * np.abs(b).sum())
    return float(a @ b / norm) if norm > 0 else None


def chance(x: Array, y: Array, strata: Array) -> tuple[float, float]:
    """Spearman's two-sided p by permutation within strata, and the |rho| that chance exceeds in 5 %."""
    order = np.argsort(strata, kind="stable")
    a, b, sorted_strata = ranks(x, strata)[order], ranks(y, strata)[order], strata[order]
    keys = np.random.default_rng(0).random((PERMUTATIONS, len(x)))
    shuffled = np.lexsort((keys, np.broadcast_to(sorted_strata, keys.shape)), axis=1)
    rho = np.abs(b[shuffled] @ a) / np.sqrt((a @ a) * (b @ b))
    found = abs(a @ b) / np.sqrt((a @ a) * (b @ b))
    return float((np.sum(rho >= found - 1e-9) + 1) / (PERMUTATIONS + 1)), float(np.quantile(rho, 0.95))


def related(x: Array, y: Array, strata: Array, memory: Array | None = None) -> dict[str, str]:
    """The figures of one correlation, as text; empty where nothing varies. With `memory`, also the partial one given memory access."""
    rho, tau = spearman(x, y, strata), kendall(x, y, strata)
    if rho is None or tau is None:
        return {"spearman": "", "kendall": "", "p": "", "chance_95": ""}
    p, often = chance(x, y, strata)
    figures = {"spearman": f"{rho:.2f}", "kendall": f"{tau:.2f}", "p": f"{p:.4f}", "chance_95": f"{often:.2f}"}
    if memory is None or np.array_equal(memory, x):
        return figures
    beyond = partial(x, y, memory, strata)
    return {**figures, "given_memory": "" if beyond is None else f"{beyond:.2f}"}


def partial(x: Array, y: Array, z: Array, strata: Array) -> float | None:
    """Spearman of x and y when both are held against z first. None where z leaves nothing to explain."""
    a, b, c = (ranks(values, strata) for values in (x, y, z))
    a, b = a - c * (a @ c) / (c @ c), b - c * (b @ c) / (c @ c)
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 1e-9 else None
