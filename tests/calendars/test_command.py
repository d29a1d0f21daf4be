"""`luodi calendar show|import`, and that nothing of the service counts by the calendar that is shipped."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from app.cli import app, calendars
from app.cli.running import prepare
from app.errors import Invalid
from app.main import build_house
from tests.calendars.notices import notice
from tests.cast import make_settings

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def luodi(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The command line on a fresh register; answers the exit code and what was printed."""
    given = make_settings(database_url, tmp_path, clock="2026-12-01T09:00:00+08:00")
    prepare(given)
    house = build_house(given)
    monkeypatch.setattr(calendars, "open_house", lambda: house)

    def run(*args: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["calendar", *args])
        if isinstance(done.exception, Invalid):
            return 1, done.exception.hint  # as main() prints it
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.output

    yield run
    house.database.dispose()


def test_a_notice_is_tried_imported_shown_and_imported_again(luodi: Any, tmp_path: Path) -> None:
    assert luodi("show")[1].startswith("2026 年：第 23 版，来源 chinesecalendar")
    assert "暂计" in luodi("show", "--year", "2027")[1]
    file = tmp_path / "notice.txt"
    file.write_bytes(notice(2027).encode("gb18030"))
    code, said = luodi("import", str(file), "--year", "2027", "--dry-run")
    assert code == 0 and "放假 春节：2027-02-05 至 2027-02-12，8 天" in said and "上班 2027-01-31（春节）" in said and "仅核对" in said
    assert "暂计" in luodi("show", "--year", "2027")[1]
    code, said = luodi("import", str(file), "--year", "2027", "--source", "国办发明电〔2026〕9号")
    assert code == 0 and "已导入，第 24 版" in said and "改为放假：2027-01-01" in said
    assert "来源 国办发明电〔2026〕9号" in luodi("show", "--year", "2027")[1]
    sheet = tmp_path / "2027.csv"
    sheet.write_text(luodi("show", "--year", "2027", "--csv")[1], "utf-8-sig")
    assert "与第 24 版相同" in luodi("import", str(sheet), "--year", "2027")[1]
    sheet.write_text(sheet.read_text("utf-8-sig").replace("2027-06-09,holiday,端午节\n", ""))
    told = orjson.loads(luodi("import", str(sheet), "--year", "2027", "--json")[1])
    assert (told["version"], told["becomes_workday"], told["warnings"]) == (25, ["2027-06-09"], ["没有列出端午"])


def test_what_is_wrong_is_told_and_nothing_is_stored(luodi: Any, tmp_path: Path) -> None:
    file = tmp_path / "notice.txt"
    file.write_text(notice(2027).replace("共7天", "共6天"))
    code, said = luodi("import", str(file), "--year", "2027")
    assert code == 1 and "写明共 6 天" in said
    assert luodi("import", str(tmp_path / "none"), "--year", "2027")[0] == 2
    assert luodi("import", str(file), "--year", "1")[0] == 2
    assert luodi("import", str(file), "--year", "2027", "--source", "x\ny")[0] == 2
    file.write_bytes(b"\xff\xff")
    assert luodi("import", str(file), "--year", "2027")[0] == 1
    file.write_bytes(b"x" * 100_000)
    assert luodi("import", str(file), "--year", "2027")[0] == 2
    file.write_bytes(notice(2027).encode() + "本通知\x00".encode())
    assert luodi("import", str(file), "--year", "2027")[0] == 0
    assert orjson.loads(luodi("show", "--year", "2027", "--json")[1])["version"] == 24


def test_no_answer_counts_by_the_shipped_calendar() -> None:
    """Only the heart and the demo may leave the calendar out: everybody else has a register to ask."""
    found = []
    for path in sorted((ROOT / "app").rglob("*.py")):
        if path.relative_to(ROOT).parts[1] in ("heart", "demo"):
            continue
        source = path.read_text("utf-8")
        if path.name != "policy.py" and "SHIPPED" in source:
            found.append(f"{path.name}: SHIPPED")
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call):
                continue
            plain = isinstance(node.func, ast.Name)
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            whose = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
            asks_limits = (name in ("reached", "cutoffs") and whose not in ("policy", "self")) or (
                name in ("due", "cutoff") and (plain or whose == "limits")
            )
            if "note[0]" in ast.unparse(node):  # what a rule prints after a year or two counts days, never workdays
                continue
            if asks_limits and "calendar" not in ast.unparse(node):
                found.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
    assert found == []
