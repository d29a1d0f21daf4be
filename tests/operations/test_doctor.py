"""The doctor on good and on broken installations: each fault is told once, in its own line, and no look holds up the rest."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from app.alerts import holding
from app.cli import app
from app.db import Database
from app.offices import service as offices
from app.operations import checks, doctor
from app.operations.doctor import Check, Told, Verdict, examine
from app.robots import service as robots
from app.robots.kinds import KINDS
from app.settings import Settings
from tests.cast import make_settings
from tests.daily.hostile import DRIP, DROP, HANG, hostile

GOOD = {
    "dev": False,
    "public_url": "https://luodi.county.example",
    "mail_from": "luodi@county.example",
    "secret_key": "s" * 64,
    "audit_key": "a" * 64,
}
HOSTS = "qyapi.weixin.qq.com"


def look(settings: Settings, *names: str) -> dict[str, Told]:
    wanted = [one for one in checks.CHECKS if not names or one.name in names]
    return {one.name: one for one in examine(settings, wanted)}


def levels(found: dict[str, Told]) -> dict[str, str]:
    return {name: one.level for name, one in found.items()}


def level(settings: Settings, name: str, *words: str) -> str:
    (told,) = look(settings, name).values()
    assert all(word in told.text for word in words), told.text
    assert "\n" not in told.text
    return told.level


def test_a_good_installation_is_well(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "faults_of", lambda *_: [])  # the tests' own server forgets on purpose
    with hostile() as (peer, port):
        settings = make_settings(database_url, tmp_path, **GOOD, smtp_url=f"smtp://127.0.0.1:{port}", daily_at="23:59:59")
        found = look(settings)
    assert {name for name, one in found.items() if one.level == "bad"} == set(), found
    assert {name: one for name, one in levels(found).items() if name not in ("fonts", "disk", "calendar")} == dict.fromkeys(
        ("database", "revision", "time", "keys", "mail", "links", "robots", "day", "hold"), "ok"
    )
    assert peer.heard == ["EHLO", "QUIT"], "nothing is sent"
    assert not (tmp_path / "var").exists(), "nothing is made"


def test_a_dead_database_is_bad_for_what_needs_it_and_for_nothing_else(tmp_path: Path) -> None:
    settings = make_settings("postgresql://luodi:very-secret@127.0.0.1:1/none", tmp_path, **GOOD)
    found = look(settings)
    assert {name for name, one in found.items() if one.level == "bad"} == {
        "database", "revision", "time", "robots", "calendar", "day", "hold",
    }  # fmt: skip
    assert "very-secret" not in str(found) and "LUODI_DATABASE_URL" in found["database"].text
    assert found["keys"].level == "ok"


def test_sqlite_is_not_made_by_looking(tmp_path: Path) -> None:
    found = look(make_settings(f"sqlite:///{tmp_path}/none/luodi.db", tmp_path, **GOOD), "database", "revision", "day")
    assert set(levels(found).values()) == {"bad"} and all("luodi migrate" in one.text for one in found.values())
    assert not (tmp_path / "none").exists()


def test_a_database_without_a_schema_is_told(empty_database_url: str, tmp_path: Path) -> None:
    assert level(make_settings(empty_database_url, tmp_path), "revision", "luodi migrate") == "bad"
    assert level(make_settings(empty_database_url, tmp_path), "day", "luodi migrate") == "bad"


def test_a_schema_of_another_version_is_told(database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    for revision, words in (("0001", "luodi migrate"), ("9999", "升级程序")):
        with database.write() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = :at"), {"at": revision})
        assert level(make_settings(database_url, tmp_path), "revision", words) == "bad"
    database.dispose()


def test_a_database_that_forgets_is_bad(postgresql_url: str, tmp_path: Path) -> None:
    """The tests' own server is one."""
    assert level(make_settings(postgresql_url, tmp_path, **GOOD), "database", "synchronous_commit=on", "fsync=on") == "bad"
    assert level(make_settings(postgresql_url, tmp_path, **GOOD | {"dev": True}), "database", "fsync") == "warn"


@pytest.mark.parametrize(("skew", "wanted"), [(-1.0, "ok"), (3.0, "warn"), (-61.0, "bad")])
def test_clocks_that_differ_are_told(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skew: float, wanted: str
) -> None:
    real = checks._skew
    monkeypatch.setattr(checks, "_skew", lambda *given: (real(*given) or 0.0) + skew)
    assert level(make_settings(postgresql_url, tmp_path, **GOOD), "time", "Asia/Shanghai") == wanted


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"greeting": "554 go away"}, "554"),
        ({"EHLO": DROP}, "无法连接"),
        ({"AUTH": "535 bad password"}, "登录被拒绝"),
        ({"greeting": HANG}, "没有结果"),
        ({"greeting": DRIP}, "没有结果"),
    ],
)
def test_a_mail_server_that_would_not_take_our_mail_is_bad_and_nothing_hangs(tmp_path: Path, answers: dict[str, Any], words: str) -> None:
    with hostile(answers, features=["AUTH PLAIN"]) as (peer, port):
        settings = make_settings("sqlite://", tmp_path, **GOOD, smtp_url=f"smtp://luodi:pass-word-1@127.0.0.1:{port}")
        (told,) = examine(settings, [Check("mail", "邮件服务器", checks.mail, 1.0 if words == "没有结果" else 30.0)])
    assert told.level == "bad" and words in told.text and "pass-word-1" not in told.text, told
    assert "MAIL" not in peer.heard


def test_mail_that_goes_to_files_is_a_warning_and_nobody_at_the_port_is_bad(tmp_path: Path) -> None:
    assert level(make_settings("sqlite://", tmp_path, **GOOD), "mail", "LUODI_SMTP_URL") == "warn"
    assert level(make_settings("sqlite://", tmp_path, **GOOD, smtp_url="smtp://127.0.0.1:1"), "mail", "127.0.0.1:1") == "bad"


def test_keys_beside_the_data_are_bad_outside_dev(tmp_path: Path) -> None:
    var = tmp_path / "var"
    empty = make_settings("sqlite://", tmp_path, **GOOD | {"audit_key": ""})
    assert level(empty, "keys", "openssl rand -hex 32") == "bad" and not var.exists()
    empty.key("audit_key")
    (var / "audit.key").chmod(0o644)
    assert level(empty, "keys", "原样", "chmod 600") == "bad", "a new key would break the chain"
    assert level(make_settings("sqlite://", tmp_path, **GOOD | {"audit_key": "", "dev": True}), "keys") == "ok"
    assert level(make_settings("sqlite://", tmp_path, **GOOD | {"audit_key": "short"}), "keys", "太短") == "warn"
    assert level(make_settings("sqlite://", tmp_path, **GOOD | {"audit_key": "s" * 64}), "keys", "相同") == "warn"


def test_a_robot_whose_host_or_key_is_gone_is_bad(database_url: str, tmp_path: Path) -> None:
    settings = make_settings(database_url, tmp_path, **GOOD)
    database = Database(database_url)
    with database.write() as connection:
        offices.add_office(connection, code="C", name="示例县", kind="county")
        url = f"https://{HOSTS}/cgi-bin/webhook/send?key=0123456789"
        now = checks.Visit(settings).clock.now()
        robots.add(connection, settings, office="C", kind=next(iter(KINDS)), name="群", url=url, secret=None, now=now)
    database.dispose()
    assert level(settings, "robots", "1 个机器人") == "ok"
    assert level(settings.model_copy(update={"allowed_webhook_hosts": "robots.example"}), "robots", HOSTS) == "bad"
    assert level(settings.model_copy(update={"secret_key": "t" * 64}), "robots", "机器人") == "bad"


def test_a_hold_and_a_year_without_notice_have_lines_of_their_own(database_url: str, tmp_path: Path) -> None:
    settings = make_settings(database_url, tmp_path, **GOOD | {"dev": True}, clock="2027-03-01T07:00:00+08:00")
    database = Database(database_url)
    with database.write() as connection:
        holding.hold(connection, "核对", now=checks.Visit(settings).clock.now())
    database.dispose()
    found = look(settings, "calendar", "day", "hold")
    assert levels(found) == {"calendar": "warn", "day": "ok", "hold": "bad"} and "2027" in found["calendar"].text


def test_little_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_settings(f"sqlite:///{tmp_path}/x.db", tmp_path, **GOOD)
    for limit, wanted in (("LITTLE", "warn"), ("TOO_LITTLE", "bad")):
        monkeypatch.setattr(checks, limit, 10**18)
        assert level(settings, "disk", "清理") == wanted


def test_fonts_are_found_by_name_where_nothing_lists_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "FONT_FOLDERS", (str(tmp_path),))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert level(make_settings("sqlite://", tmp_path), "fonts", "fonts-noto-cjk") == "warn"
    (tmp_path / "NotoSansCJK-Regular.ttc").touch()
    assert level(make_settings("sqlite://", tmp_path), "fonts", "NotoSansCJK") == "ok"


def test_a_look_that_raises_or_never_ends_is_bad_for_itself_only(tmp_path: Path) -> None:
    never = threading.Event()

    def hang(_visit: doctor.Visit) -> Verdict:
        never.wait(60)
        return Verdict("ok", "")

    def fall(_visit: doctor.Visit) -> Verdict:
        raise RuntimeError("password=very-secret-1\nmore")

    table = [Check("a", "甲", fall), Check("b", "乙", hang, 0.2), Check("c", "丙", lambda _: Verdict("ok", "好"))]
    found = examine(make_settings("sqlite://", tmp_path, secret_key="very-secret-1"), table)
    never.set()
    assert [(one.name, one.level) for one in found] == [("a", "bad"), ("b", "bad"), ("c", "ok")]
    assert "RuntimeError" in found[0].text and "very-secret" not in found[0].text and "more" not in found[0].text
    assert doctor.report(found)["status"] == "bad" and doctor.report(found[2:])["status"] == "ok"
    assert len(doctor.text(found).splitlines()) == 3


@pytest.fixture
def luodi(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("LUODI_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("LUODI_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("LUODI_DEV", "true")
    monkeypatch.setenv("LUODI_DAILY_AT", "23:59:59")
    yield lambda *given: CliRunner().invoke(app, ["doctor", *given])


def test_the_command_prints_a_line_for_each_look_and_exits_by_the_worst(luodi: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    good = luodi()
    assert good.exit_code == 0 and len(good.output.splitlines()) == len(checks.CHECKS), good.output
    said = luodi("--json")
    assert said.exit_code == 0 and [one["name"] for one in orjson.loads(said.stdout)["checks"]] == [one.name for one in checks.CHECKS]
    monkeypatch.setenv("LUODI_SMTP_URL", "smtp://127.0.0.1:1")
    bad = luodi("--json")
    assert bad.exit_code == 1 and orjson.loads(bad.stdout)["status"] == "bad"
