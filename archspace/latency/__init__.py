"""Latency: how fast a graph runs on a device, from a fitted profile, with its interval."""

from __future__ import annotations

from archspace.latency.breakdown import Part, breakdown
from archspace.latency.catalog import (
    BrokenProfileWarning,
    Device,
    add_device,
    device_names,
    devices,
    listed_devices,
    load_profile,
    remove_device,
)
from archspace.latency.model import Latency, latency_ms, predict
from archspace.latency.profile import Profile

__all__ = [
    "BrokenProfileWarning",
    "Device",
    "Latency",
    "Part",
    "Profile",
    "add_device",
    "breakdown",
    "device_names",
    "devices",
    "latency_ms",
    "listed_devices",
    "load_profile",
    "predict",
    "remove_device",
]
