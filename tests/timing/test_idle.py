"""The idle check: what others use of the machine, from Linux's account and this process's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from archspace.timing import idle
from archspace.timing.idle import Used, others_pct, processor_ticks, used_now

STAT = "cpu  1000 20 300 5000 80 0 10 40 7 0\ncpu0 500 10 150 2500 40 0 5 20 3 0\nintr 1\n"


def test_busy_ticks_are_all_but_idle_and_waiting_ones() -> None:
    assert processor_ticks(STAT) == (1000 + 20 + 300 + 5000 + 80 + 0 + 10 + 40, 1000 + 20 + 300 + 0 + 10 + 40)


def test_what_this_process_used_is_not_others() -> None:
    before = Used(total_s=100, busy_s=50, own_s=5)
    assert others_pct(before, Used(total_s=120, busy_s=60, own_s=15)) == 0
    assert others_pct(before, Used(total_s=120, busy_s=60, own_s=5)) == 50


def test_ticks_that_lag_behind_this_process_are_no_negative_share() -> None:
    assert others_pct(Used(0, 0, 0), Used(total_s=10, busy_s=4.9, own_s=5)) == 0
    assert others_pct(Used(0, 0, 0), Used(0, 0, 0)) == 0


def test_the_account_is_read_in_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stat").write_text(STAT, encoding="ascii")
    monkeypatch.setattr(idle, "STAT", tmp_path / "stat")
    tick = 1 / os.sysconf("SC_CLK_TCK")
    found = used_now()
    assert found is not None
    assert (found.total_s, found.busy_s) == pytest.approx((6450 * tick, 1370 * tick))
    assert found.own_s > 0


def test_a_system_without_an_account_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle, "STAT", tmp_path / "none")
    assert used_now() is None
