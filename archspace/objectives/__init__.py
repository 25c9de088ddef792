"""Objectives: what a candidate of a search is judged by, from counts and predictions to the user's own function."""

from __future__ import annotations

from archspace.objectives.metrics import (
    METRICS,
    Candidate,
    Metric,
    check_objectives,
    excess,
    measure,
    measure_of,
    metric_named,
    metric_text,
    notes_on,
)

__all__ = [
    "METRICS",
    "Candidate",
    "Metric",
    "check_objectives",
    "excess",
    "measure",
    "measure_of",
    "metric_named",
    "metric_text",
    "notes_on",
]
