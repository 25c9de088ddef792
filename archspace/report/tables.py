"""Records as data frames, one row per candidate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd


def records_frame(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per record ({"number", "options", "metrics", "feasible", "problem", "digest"}): its metrics and its options as columns.

    Options are named `option.NAME`, for some are called as a metric is (stage_channels). Lists become words with 'x' between (4x8x4), so
    that rows compare and the frame writes to CSV.
    """
    rows = [
        {
            "number": record["number"],
            "feasible": record["feasible"],
            **record["metrics"],
            **option_columns(record["options"]),
            "problem": record["problem"],
            "digest": record["digest"],
        }
        for record in records
    ]
    frame = pd.DataFrame(rows)
    for name in frame.columns:
        # Counts stay whole numbers where candidates without counts leave gaps.
        if all(type(row.get(name, 0)) is int for row in rows):
            frame[name] = frame[name].astype("Int64")
    return frame


def option_columns(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options under the names of their columns: {'repeats': [4, 8, 4]} -> {'option.repeats': '4x8x4'}."""
    return {f"option.{key}": option_text(value) for key, value in options.items()}


def option_text(value: Any) -> Any:
    """A list as one word: [4, 8, 4] -> '4x8x4'; other values as they are."""
    return "x".join(map(str, value)) if isinstance(value, list | tuple) else value


def options_text(options: Mapping[str, Any], leave_out: Sequence[str] = ()) -> str:
    """Options as a person writes them: 'groups=8 width=0.5 repeats=4x8x4'."""
    return " ".join(f"{key}={option_text(value)}" for key, value in options.items() if key not in leave_out)
