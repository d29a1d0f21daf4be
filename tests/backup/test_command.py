"""The same at a terminal: what is asked, what is said, and what a script reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from app.alerts import holding
from app.cli import app
from app.errors import DomainError
from tests.backup.conftest import KEY, Place
from tests.cast import County

Run = Callable[..., Result]


@pytest.fixture
def luodi(county: County, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`luodi …` at a database, with the keys of the county."""

    def run(url: str, *words: str, typed: str = "", folder: Path = county.house.settings.var_dir) -> Result:
        values = {"DATABASE_URL": url, "AUDIT_KEY": KEY.decode(), "SECRET_KEY": "s" * 32, "VAR_DIR": str(folder), "DEV": "true"}
        for name, value in values.items():
            monkeypatch.setenv(f"LUODI_{name}", value)
        return CliRunner().invoke(app, list(words), input=typed)

    return run


def done(result: Result) -> Any:
    assert result.exit_code == 0, (result.output, result.exception)
    return orjson.loads(result.stdout)


def test_a_drill_from_end_to_end(county: County, place: Place, tmp_path: Path, luodi: Run) -> None:
    county.register()
    made = done(luodi(county.house.settings.database_url, "backup", str(tmp_path), "--json"))
    file = Path(made["path"])
    assert made["bytes"] == file.stat().st_size and made["manifest"]["heads"] == 1
    assert done(luodi(place.url, "restore", str(file), "--verify", "--json"))["whole"] is True
    told = done(luodi(place.url, "restore", str(file), "--json"))
    assert told["broken"] == [] and told["manifest"]["rows"]["fact"] == 1
    declined = luodi(place.url, "restore", "--finalize", typed="n\n")
    assert declined.exit_code == 1 and "条消息" in declined.stderr
    with place.database.statement() as connection:
        assert holding.current(connection) is not None, "asked, and declined"
    assert done(luodi(place.url, "restore", "--finalize", "--yes", "--json")) == {"pending": 0, "uncertain": 0}
    with place.database.statement() as connection:
        assert holding.current(connection) is None
    place.is_whole()


def test_people_are_told_what_a_restore_means(county: County, place: Place, tmp_path: Path, luodi: Run) -> None:
    said = luodi(county.house.settings.database_url, "backup", str(tmp_path / "a.backup"))
    assert "没有密钥" in said.stdout
    said = luodi(place.url, "restore", str(tmp_path / "a.backup"))
    assert said.exit_code == 0, said.output
    assert "luodi token list" in said.stdout and "luodi restore --finalize" in said.stdout


def test_misuse_and_refusals(county: County, place: Place, tmp_path: Path, luodi: Run) -> None:
    assert luodi(place.url, "restore").exit_code == 2
    assert luodi(place.url, "restore", "x", "--finalize").exit_code == 2
    for words in (("restore", str(tmp_path / "none")), ("backup", str(tmp_path / "b"))):
        assert isinstance(luodi(place.url, *words).exception, DomainError)
    assert not (tmp_path / "b").exists()
    refused = luodi(county.house.settings.database_url, "restore", "--finalize")
    assert isinstance(refused.exception, DomainError) and "没有等待确认" in refused.exception.hint
