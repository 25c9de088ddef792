"""What published results say of a network's accuracy before it is trained: the prior, with its interval and its worth."""

from __future__ import annotations

from archspace.accuracy.features import NAMES, Features, Reading, read
from archspace.accuracy.prior import Prior, prior, prior_error_pct, quality_text, recipes

__all__ = ["NAMES", "Features", "Prior", "Reading", "prior", "prior_error_pct", "quality_text", "read", "recipes"]
