"""The conditions of a measurement: which processor or GPU, and which version of what ran the network."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

CPU_INFO = Path("/proc/cpuinfo")
# What vendors write around the name of a processor or GPU.
NOISE = re.compile(r"\((R|TM|C)\)|\bCPU\b|\bProcessor\b|\bwith\b.*|@.*|\b\d+-Core\b", re.IGNORECASE)


def device_name(on: str) -> str:
    """The name of the processor or GPU that is measured on: 'AMD EPYC, 2 cores', 'NVIDIA H200'."""
    if on == "cuda":
        return str(torch.cuda.get_device_name())
    return f"{cpu_name()}, {os.cpu_count() or 1} cores"


def cpu_name() -> str:
    """The processor's model as the system calls it, or its architecture where it has no name."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2] for line in lines if line.startswith("model name")]
    return plain(names[0]) if names else platform.processor() or platform.machine() or "cpu"


def plain(name: str) -> str:
    """A vendor's name of a processor without what it writes around it.

    >>> plain("Intel(R) Core(TM) i7-12700H CPU @ 2.30GHz"), plain("AMD Ryzen 7 5800X 8-Core Processor")
    ('Intel Core i7-12700H', 'AMD Ryzen 7 5800X')
    """
    return " ".join(NOISE.sub(" ", name).split())


def package_version(package: str) -> str:
    """The version of an installed package without what was built into it: '2.13.0' of 2.13.0+cpu."""
    try:
        return version(package).partition("+")[0]
    except PackageNotFoundError:
        return "unknown"


def slug(words: str) -> str:
    """Words as part of a file name.

    >>> slug("AMD EPYC, 2 cores")
    'amd-epyc-2-cores'
    """
    return re.sub(r"[^a-z0-9.]+", "-", words.lower()).strip("-.")
