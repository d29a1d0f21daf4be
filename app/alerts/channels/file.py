"""Messages as .eml files in a folder: until a mail server is set, and for trying things out."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from app.alerts.channels.base import Blame, Letter, Pace, Refused


class Folder:
    """One file per message, under a name that never changes, so that writing it twice is harmless."""

    repeatable = True
    lanes = 1
    pace: Pace | None = None

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.relay: str | None = f"file:{folder}"

    def send(self, letter: Letter, mark: Callable[[], None]) -> str:
        """Write the file beside its place, then move it there in one step. Repeatable, so it needs no marker."""
        recipient = re.sub(r"[^A-Za-z0-9.@_-]", "_", letter.recipient)[:100]
        name = f"{letter.run_date.isoformat()}-{letter.person_id}-{recipient}.eml"
        draft = self.folder / f".{name}.{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with draft.open("wb") as file:
                file.write(letter.body)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.folder / name)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise Refused(f"无法写入 {self.folder}：{error.strerror}", again=True, blame=Blame.AWAY, phase="write") from error
        return str(self.folder / name)

    def close(self) -> None:
        """Nothing stays open."""
