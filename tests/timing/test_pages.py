"""Memory that is freed is kept: seen by the pages that a process takes anew."""

from __future__ import annotations

import ctypes
import subprocess
import sys

PAGE = 4096
SIZES = [n << 20 for n in range(8, 28)]  # bytes, each larger than all before: what the C library keeps by itself is never enough
PROGRAM = f"""
import resource, sys
from archspace.timing.pages import keep_pages
print(keep_pages() if sys.argv[1] == "keep" else None)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for size in {SIZES}:
    bytearray(b"x") * size
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def told(word: str) -> tuple[str, int]:
    done = subprocess.run([sys.executable, "-c", PROGRAM, word], capture_output=True, text=True, check=True)
    could, faults = done.stdout.split()
    return could, int(faults)


def test_what_is_freed_is_used_again_and_not_taken_anew() -> None:
    could, kept = told("keep")
    _, fresh = told("leave")
    assert could == str(hasattr(ctypes.CDLL(None), "mallopt"))  # glibc
    assert kept < 1.1 * SIZES[-1] / PAGE < fresh / 5  # the pages of the largest block in all, against those of every block
