"""Surveys of design spaces: what a space holds, by random samples, and which of several spaces is the better one."""

from __future__ import annotations

from archspace.survey.comparing import Comparison, compare_spaces
from archspace.survey.describing import Description, describe
from archspace.survey.sampling import Sample, draw

__all__ = ["Comparison", "Description", "Sample", "compare_spaces", "describe", "draw"]
