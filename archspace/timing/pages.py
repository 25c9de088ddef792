"""Memory that is freed stays with the process: else each call may take fresh pages from the system, and one process in two does.

PyTorch asks the C library for every output and frees it at once. From about 128 KB on glibc may map such a block from the system and hand
it back, and then every page of it is cleared at its first use; whether it does depends on what the process freed before. Ten units of
MobileNet v2 at 56x56 took 18 ms with what was freed kept, and 23 or 55 ms without, in processes that did nothing else (AMD EPYC, 2 cores).
"""

from __future__ import annotations

import ctypes
import sys

# <malloc.h>, glibc: what is set, and to what.
M_TRIM_THRESHOLD, NEVER = -1, -1
M_MMAP_MAX, NONE = -4, 0


def keep_pages() -> bool:
    """Have the C library keep what this process frees, until it ends; whether it could be told to (glibc alone).

    It is the process that is changed: for a command's own to call, not for a library inside another program.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(what, value) == 1 for what, value in ((M_TRIM_THRESHOLD, NEVER), (M_MMAP_MAX, NONE)))
