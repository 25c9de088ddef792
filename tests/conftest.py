"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

# Before torch is imported: the networks of the tests are small, and threads that wait for each other on a busy machine cost tenfold.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Device profiles of whoever runs the tests are not theirs: this folder is not there.
os.environ["ARCHSPACE_DATA"] = str(Path(__file__).parent / "no_data")
