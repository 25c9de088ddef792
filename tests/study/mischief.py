"""Objectives that a search has to live with: they take their time, block, hang, raise, or die. Each notes its calls in a folder.

The folder is named by the environment, which processes inherit. What a candidate's fate is follows from its network's digest alone.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from time import sleep
from typing import Any

from archspace.analysis.report import total_counts
from archspace.ir.digest import graph_digest
from archspace.ir.graph import Graph

FOLDER = "MISCHIEF"
LONGEST_BLOCK_S = 120.0
SPACE: dict[str, Any] = {
    "family": "shufflenet_v1",
    "constants": {"input": [32, 32]},
    "objectives": {"maximize": ["stage_channels"], "minimize": ["mem_elems"]},
    "parameters": {
        "groups": {"choices": [1, 2, 3, 4, 8]},
        "width": {"low": 0.25, "high": 2.0, "step": 0.05},
        "repeats": {"each": [{"low": 1, "high": 2}, {"low": 1, "high": 2}, {"low": 1, "high": 2}]},
    },
}


def folder() -> Path:
    """Where calls are noted."""
    return Path(os.environ[FOLDER])


def calls() -> Counter[str]:
    """Digest -> how often that network was judged."""
    return Counter(line.split()[1] for line in _noted())


def judges() -> list[int]:
    """The process of each call, in order."""
    return [int(line.split()[0]) for line in _noted()]


def _noted() -> list[str]:
    file = folder() / "calls"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def fate(digest: str) -> int:
    """0 to 255, by the digest."""
    return int(digest[:2], 16)


def is_unlucky(digest: str) -> bool:
    """One candidate in four."""
    return fate(digest) % 4 == 0


def noted(graph: Graph) -> str:
    """The network's digest, after its call was noted."""
    digest = graph_digest(graph)
    with (folder() / "calls").open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()} {digest}\n")
    return digest


def first_time(mark: str) -> bool:
    """Whether nobody asked that of this mark before, in any process."""
    try:
        (folder() / mark).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def value(graph: Graph) -> float:
    """What all of them return in the end."""
    return float(total_counts(graph).madds)


def quick(graph: Graph) -> float:
    noted(graph)
    return value(graph)


def slow(graph: Graph) -> float:
    """Up to 12 ms, so that candidates are finished in another order than they were asked for."""
    sleep(fate(noted(graph)) / 256 * 0.012)
    return value(graph)


def blocked_first(graph: Graph) -> float:
    """The very first call waits until the folder holds a file `go`."""
    noted(graph)
    if first_time("first"):
        _wait_for_go()
    return value(graph)


def blocked(graph: Graph) -> float:
    """Every call waits until the folder holds a file `go`."""
    noted(graph)
    _wait_for_go()
    return value(graph)


def _wait_for_go() -> None:
    for _ in range(int(LONGEST_BLOCK_S / 0.02)):
        if (folder() / "go").exists():
            return
        sleep(0.02)


def dies_once(graph: Graph) -> float:
    """Unlucky candidates take their process with them, as kill -9 does, the first time."""
    digest = noted(graph)
    if is_unlucky(digest) and first_time(f"died-{digest}"):
        os.kill(os.getpid(), signal.SIGKILL)
    return value(graph)


def dies(graph: Graph) -> float:
    """Unlucky candidates always do."""
    if is_unlucky(noted(graph)):
        os.kill(os.getpid(), signal.SIGKILL)
    return value(graph)


def hangs(graph: Graph) -> float:
    """Unlucky candidates never end."""
    if is_unlucky(noted(graph)):
        sleep(LONGEST_BLOCK_S)
    return value(graph)


def raises(graph: Graph) -> float:
    """Unlucky candidates raise."""
    digest = noted(graph)
    if is_unlucky(digest):
        raise ZeroDivisionError(f"no luck with {digest}")
    return value(graph)


def prints_and_reads(graph: Graph) -> float:
    """Talks on stdout and listens on stdin, where a process of the search's may have other things to say."""
    print("judging", noted(graph))
    try:
        input()
    except EOFError:
        return value(graph)
    return 0.0


def let_go() -> None:
    """Let blocked objectives return."""
    (folder() / "go").touch()
