"""The design-rule linter: ShuffleNet v2's guidelines as rules that point at an op, say what it wastes and what to do instead."""

from __future__ import annotations

from archspace.rules.finding import SEVERITIES, Finding
from archspace.rules.linter import Lint, Waste, lint
from archspace.rules.rule import Rule, Threshold
from archspace.rules.table import GROUPS, RULES

__all__ = ["GROUPS", "RULES", "SEVERITIES", "Finding", "Lint", "Rule", "Threshold", "Waste", "lint"]
