"""Graphs as readable code: a standalone model.py whose state dict is that of the module built in memory."""

from __future__ import annotations

from archspace.pytorch.code.model import code_files

__all__ = ["code_files"]
