"""The conditions of a measurement: which processor or GPU, and which version of what ran the network."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

CPU_INFO = Path("/proc/cpuinfo")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
USUAL_CACHE = {2: 1 << 20, 3: 32 << 20}
VECTORS = {"avx512f": 512, "avx2": 256, "avx": 256, "asimd": 128, "sse2": 128}  # a processor's flag -> bits, the widest first
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


def cache_bytes(level: int) -> int:
    """The size of the processor's data cache of a level; where the system does not tell, what is usual.

    >>> cache_bytes(3) >= cache_bytes(2) > 0
    True
    """
    for index in sorted(CACHES.glob("index*")):
        try:
            found, size = (int((index / name).read_text(encoding="ascii").strip().rstrip("K")) for name in ("level", "size"))
        except (OSError, ValueError):
            continue
        if found == level and (index / "type").read_text(encoding="ascii").strip() != "Instruction":
            return size << 10
    return USUAL_CACHE[level]


def vector_bits() -> int | None:
    """The width of the processor's vectors; None where the system does not tell."""
    try:
        text = CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    flags = {word for line in text.splitlines() if line.startswith(("flags", "Features")) for word in line.partition(":")[2].split()}
    return next((bits for flag, bits in VECTORS.items() if flag in flags), None)
