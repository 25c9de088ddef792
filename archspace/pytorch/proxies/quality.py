"""How far each proxy can be trusted, as studies/proxies found it: quality.json beside this file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from archspace.errors import UnknownNameError
from archspace.files import read_json

QUALITY_JSON = Path(__file__).parent / "quality.json"


@dataclass(frozen=True, slots=True)
class Quality:
    """Rank correlations (Spearman) of a proxy, or a count that it has to beat, with ImageNet top-1 of timm's trained CNNs.

    Overall: at most 0.6 G multiply-adds; band: 0.35 to 0.6 G; partial: overall, given params and multiply-adds (None for these two).
    `zoo` is over the papers' networks of at most 0.6 G. `ms` is the median time per network on one core at `conditions` (None: counted).
    """

    name: str
    overall: float
    overall_networks: int
    band: float
    band_networks: int
    partial: float | None
    zoo: float
    zoo_networks: int
    ms: float | None
    conditions: str


def qualities() -> Mapping[str, Quality]:
    """One row per proxy, then the baselines params, madds and acts."""
    return {row["name"]: Quality(**row) for row in read_json(QUALITY_JSON)["rows"]}


def quality_text(name: str) -> str:
    """The line to print wherever a proxy's value is shown. Raises UnknownNameError.

    'naswot: rank correlation with ImageNet top-1 .71 over 75 CNNs of at most 0.6 G multiply-adds (params alone .91), ...'
    """
    known = qualities()
    if name not in known:
        raise UnknownNameError("proxy", name, known)
    row, params = known[name], known["params"]
    versus = "" if name == "params" else f" (params alone {_short(params.overall)})"
    versus_band = "" if name == "params" else f" (params {_short(params.band)})"
    given = "" if row.partial is None else f", {_short(row.partial)} given params and multiply-adds"
    time = "" if row.ms is None else f"; {row.ms:.0f} ms a network"
    return (
        f"{name}: rank correlation with ImageNet top-1 {_short(row.overall)} over {row.overall_networks} CNNs of at most 0.6 G "
        f"multiply-adds{versus}, {_short(row.band)} over {row.band_networks} of 0.35-0.6 G{versus_band}{given}{time}"
    )


def _short(value: float) -> str:
    """Two digits without the zero: '.71', '-.05'."""
    return f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 0.995 else f"{value:.2f}"
