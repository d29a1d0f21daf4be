"""What an import did, for a person and for a script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.ledgers.events_faults import Faults
from app.ledgers.events_plan import Plan
from app.ledgers.events_reading import Rejected

SHOWN = 20
"""Faults that a person is shown; `--json` has the first ten thousand, the error file has all of them."""


@dataclass
class Summary:
    """What an import did, or (dry run) would do. `inferred` counts dates that no row told: intents and undated ends."""

    rejections: Faults
    oddities: Faults
    dry_run: bool
    projects_created: int = 0
    projects_changed: int = 0
    projects_unchanged: int = 0
    events_added: int = 0
    events_unchanged: int = 0
    inferred: int = 0
    offices_created: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def opened(cls, dry_run: bool, folder: Path) -> Iterator[Summary]:
        """A summary that is being added to; `folder` is where many faults wait."""
        summary = cls(Faults(folder), Faults(folder), dry_run)
        try:
            yield summary
        finally:
            summary.rejections.close()
            summary.oddities.close()

    @property
    def rejected(self) -> list[Rejected]:
        """Rows that were not taken: the first KEPT of them."""
        return self.rejections.kept

    @property
    def warnings(self) -> list[Rejected]:
        """What was odd about rows that were taken: the first KEPT of it."""
        return self.oddities.kept

    def count(self, one: Plan) -> None:
        """Add what became of one project."""
        self.rejections.add(one.rejected)
        self.oddities.add(one.warnings)
        self.events_added += one.added
        self.events_unchanged += one.unchanged
        self.inferred += one.inferred
        if one.creates:
            self.projects_created += 1
        elif one.new:
            self.projects_changed += 1
        elif one.added + one.unchanged:
            self.projects_unchanged += 1

    def sort(self) -> None:
        """Faults in the order of the file."""
        self.rejections.sort()
        self.oddities.sort()

    def text(self) -> str:
        """As a person reads it; the first faults by line, the rest counted."""
        lines = [
            ("试算，未写入 / dry run, nothing written\n" if self.dry_run else "")
            + f"项目：新增 {self.projects_created}，更新 {self.projects_changed}，未变 {self.projects_unchanged}；"
            + f"事件：新增 {self.events_added}，已有 {self.events_unchanged}，拒绝 {self.rejections.count}；"
            + f"推断日期 {self.inferred}；新增单位 {len(self.offices_created)}；提示 {self.oddities.count}"
        ]
        for title, faults in (("拒绝 rejected", self.rejections), ("提示 warning", self.oddities)):
            lines += [f"{title} 第 {one.line} 行 {one.column} {one.value!r}：{one.reason}" for one in faults.kept[:SHOWN]]
            if faults.count > SHOWN:
                lines.append(f"{title} …… 另有 {faults.count - SHOWN} 条 / more")
        return "\n".join(lines)

    def shown(self) -> dict[str, Any]:
        """As `--json` prints it."""
        places = {
            name: [{"line": one.line, "column": one.column, "value": one.value, "reason": one.reason} for one in rows]
            for name, rows in (("warnings", self.warnings), ("rejected", self.rejected))
        }
        return {
            "dry_run": self.dry_run,
            "projects": {"created": self.projects_created, "changed": self.projects_changed, "unchanged": self.projects_unchanged},
            "events": {"added": self.events_added, "unchanged": self.events_unchanged, "rejected": self.rejections.count},
            "inferred": self.inferred,
            "offices_created": self.offices_created,
            **places,
        }
