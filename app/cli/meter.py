"""How far a long command has come, on stderr: rows, rows a second, the time that is left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import typer

EVERY, EVERY_IN_A_LOG = 0.5, 10.0
"""Seconds between two lines: for somebody who watches, and where lines stay (a log)."""


class Meter:
    """Says now and then how far a task is. Each phase has its own pace."""

    def __init__(self) -> None:
        self._watched = sys.stderr.isatty()
        self._phase = ""
        self._began = self._told = 0.0
        self._open = False

    def weigh(self, phase: str, size: int, share: float | None) -> None:
        """So many bytes of a phase are done, and that share of it where it is known."""
        self._tell(phase, share, lambda spent: (f"{size / 1e6:,.1f} MB", f"{size / 1e6 / spent:,.1f} MB/秒"))

    def tell(self, phase: str, rows: int, share: float) -> None:
        """So many rows of a phase are done, and that share of it."""
        self._tell(phase, share, lambda spent: (f"{rows:,} 行 rows", f"{rows / spent:,.0f} 行/秒"))

    def _tell(self, phase: str, share: float | None, said: Callable[[float], tuple[str, str]]) -> None:
        now = time.monotonic()
        if phase != self._phase:
            self.end()
            self._phase, self._began = phase, now
            self._told = now
            return
        finished = share is not None and share >= 1
        if not finished and now - self._told < (EVERY if self._watched else EVERY_IN_A_LOG):
            return
        self._told = now
        spent = max(now - self._began, 0.001)
        left = f"，约剩 {_duration(spent / share - spent)}" if share and not finished else ""
        done, pace = said(spent)
        line = f"{phase} {done}{'' if share is None else f'（{share:.0%}）'}，{pace}{left}"
        typer.echo(f"\r{line:<70}" if self._watched else line, err=True, nl=not self._watched)
        self._open = self._watched

    def end(self) -> None:
        """Leave the line."""
        if self._open:
            typer.echo("", err=True)
            self._open = False


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} 分 {rest} 秒" if minutes else f"{rest} 秒"
