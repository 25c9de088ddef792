"""ONNX both ways: `from_onnx` reads a file as a graph (no torch needed), `export_onnx` writes a built module as a file."""

from __future__ import annotations

from archspace.onnx.export import export_onnx

__all__ = ["export_onnx"]
