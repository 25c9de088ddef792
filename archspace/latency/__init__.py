"""Latency: how fast a graph runs on a device, from a fitted profile, with its interval."""

from __future__ import annotations

from archspace.latency.model import Latency, latency_ms, predict
from archspace.latency.profile import Profile, device_names, load_profile

__all__ = ["Latency", "Profile", "device_names", "latency_ms", "load_profile", "predict"]
