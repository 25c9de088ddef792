"""ONNX both ways: `from_onnx` reads a file as a graph (no torch needed), `export_onnx` writes a built module as a file."""

from __future__ import annotations

from archspace.analysis.opaque import OpaqueWarning
from archspace.onnx.export import export_onnx
from archspace.onnx.verb import from_onnx

__all__ = ["OpaqueWarning", "export_onnx", "from_onnx"]
