"""The figures of a run: ratios with their targets, a table to read and a file for machines."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Result:
    """One ratio. `at_least` and `at_most` are its target; without either it is for information. None: not to be trusted."""

    name: str
    ratio: float | None
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.at_least is None and self.at_most is None:
            return ""
        if self.ratio is None:
            return "not measured"
        reached = (self.at_least is None or self.ratio >= self.at_least) and (self.at_most is None or self.ratio <= self.at_most)
        return "reached" if reached else "MISSED"

    @property
    def target(self) -> str:
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return f"<= {self.at_most:g}" if self.at_most is not None else ""


@dataclass
class Figures:
    """Everything measured so far: ratios, and the raw figures behind them by name."""

    ratios: list[Result] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)

    def ratio(
        self, name: str, above: float, below: float, *, at_least: float | None = None, at_most: float | None = None, note: str = ""
    ) -> None:
        """Note above / below, unless one of them is missing."""
        value = round(above / below, 2) if above and below else None
        self.ratios.append(Result(name, value, at_least, at_most, note))
        print(f"  {self._line(self.ratios[-1])}", flush=True)

    def figure(self, name: str, **values: Any) -> None:
        """Note raw figures, and say them as progress."""
        self.raw[name] = values
        print(
            f"    {name}: "
            + ", ".join(f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in values.items()),
            flush=True,
        )

    @staticmethod
    def _line(one: Result) -> str:
        ratio = "-" if one.ratio is None else f"{one.ratio:.2f}"
        return f"{one.name:<72} {ratio:>8}  {one.target:<8} {one.verdict:<12} {one.note}".rstrip()

    def show(self) -> None:
        """The table."""
        print(f"\n{'what':<72} {'ratio':>8}  {'target':<8}")
        for one in self.ratios:
            print(self._line(one))

    def write(self, path: Path) -> None:
        """Everything as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [asdict(one) | {"verdict": one.verdict} for one in self.ratios]
        path.write_text(json.dumps({"ratios": rows, "figures": self.raw}, ensure_ascii=False, indent=1), "utf-8")
        print(f"\nwritten: {path}")
