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
    """Rank correlations (Spearman) of a proxy, or of a count that it has to beat, with ImageNet top-1 of trained networks.

    `overall`: timm's CNNs of at most 0.6 G multiply-adds, trained on ImageNet-1k alone; `band`: those of 0.35 to 0.6 G; `zoo`: the papers'
    networks of at most 0.6 G. `partial`: overall, given params and multiply-adds; `beyond` and `zoo_beyond`: given activations too; None
    for what is given. `ms` is the median time per network of `overall` under `conditions` (None: counted, in no time).
    """

    name: str
    overall: float
    overall_networks: int
    band: float
    band_networks: int
    zoo: float
    zoo_networks: int
    partial: float | None
    beyond: float | None
    zoo_beyond: float | None
    ms: int | None
    conditions: str


def qualities() -> Mapping[str, Quality]:
    """One row per proxy, then the baselines params, madds and acts."""
    return {row["name"]: Quality(**row) for row in read_json(QUALITY_JSON)["rows"]}


def quality_text(name: str) -> str:
    """The line to print wherever a proxy's value is shown, with the figures of params beside it. Raises UnknownNameError.

    'madds: rank correlation with ImageNet top-1 .32 over 38 CNNs of at most 0.6 G multiply-adds (params .90), ...'
    """
    known = qualities()
    if name not in known:
        raise UnknownNameError("proxy", name, known)
    row, params = known[name], known["params"]
    versus, versus_band = ("", "") if name == "params" else (f" (params {_short(params.overall)})", f" (params {_short(params.band)})")
    given = "" if row.partial is None else f"; given params and multiply-adds {_short(row.partial)}"
    beyond = "" if row.beyond is None else f", given activations too {_short(row.beyond)}"
    time = "" if row.ms is None else f"; {row.ms} ms a network"
    return (
        f"{name}: rank correlation with ImageNet top-1 {_short(row.overall)} over {row.overall_networks} CNNs of at most 0.6 G "
        f"multiply-adds{versus}, {_short(row.band)} over {row.band_networks} of 0.35-0.6 G{versus_band}{given}{beyond}{time}"
    )


def _short(value: float) -> str:
    """Two digits without the zero: '.71', '-.05', '1.00'."""
    text = f"{value:.2f}"
    return text if abs(value) >= 0.995 else text.replace("0.", ".", 1)
