"""What all tests share."""

from __future__ import annotations

import os

# Before torch is imported: the networks of the tests are small, and threads that wait for each other on a busy machine cost tenfold.
os.environ.setdefault("OMP_NUM_THREADS", "1")
