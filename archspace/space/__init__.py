"""Declarative design spaces and budgets."""

from __future__ import annotations

from archspace.space.domains import Choice, Range
from archspace.space.space import Parameter, Space

__all__ = ["Choice", "Parameter", "Range", "Space"]
