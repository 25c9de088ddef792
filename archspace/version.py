"""The version of archspace, for what is written to last."""

from __future__ import annotations

VERSION = "0.1.0"
