"""Runs on a GPU as graph replays: what was launched once is captured, and launched again as one."""

from __future__ import annotations

from typing import Any

import torch

from archspace.timing.rounds import Call

WARM_RUNS = 3  # before capture: cuDNN's choices and allocations must be behind


def replay(run: Call) -> Call | None:
    """A call that replays what `run` launches, as a CUDA graph; None where it cannot be captured, as when it copies to the host."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_RUNS):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    held: list[Any] = []
    try:
        with torch.cuda.graph(graph):
            held.append(run())
    except RuntimeError:
        torch.cuda.synchronize()
        return None

    def replayed() -> object:
        graph.replay()
        return held[0]

    return replayed
