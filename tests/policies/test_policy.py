"""Versions of the limits: what a file changes, which version answers, and what a wrong file is told."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app.db import Database
from app.errors import Invalid
from app.policies.policy import Policy, Running, changed_body, governing
from app.policies.queries import PolicyBook
from app.policies.service import as_toml, read_file, set_policy

START = datetime(2026, 6, 1, tzinfo=UTC)


def version(number: int, effective: str, hours: int, body: dict[str, Any] | None = None) -> Policy:
    return Policy(number, date.fromisoformat(effective), START + timedelta(hours=hours), body or {})


def test_the_latest_effective_then_the_latest_recorded_version_answers() -> None:
    versions = [version(1, "0001-01-01", -9999), version(2, "2026-01-01", 1), version(3, "1900-01-01", 2), version(4, "2026-01-01", 3)]
    pick = lambda day, hours: governing(versions, date.fromisoformat(day), START + timedelta(hours=hours)).id  # noqa: E731
    assert pick("2026-05-01", 0) == 1
    assert pick("2026-05-01", 1) == 2
    assert pick("2026-05-01", 2) == 2  # version 3 is effective earlier, so it does not govern
    assert pick("2025-05-01", 2) == 3
    assert pick("2026-05-01", 3) == 4
    assert governing(versions, date(2025, 12, 31), None).id == 3


def test_a_file_changes_only_what_it_names() -> None:
    before = {"signed_no_progress": {"red": "45d", "routes": {"leased": {"red": "20d"}}}}
    body = changed_body(before, read_file('[limits.signed_no_progress]\nyellow = "3wd"\n[limits.signed_no_progress.leased]\nyellow = "1d"'))
    policy = version(2, "2026-01-01", 1, body)
    leased, other = policy.limits("signed_no_progress", "leased"), policy.limits("signed_no_progress", None)
    assert leased is not None and other is not None
    assert [str(limit) for limit in leased[:3]] == ["1d", "20d", "180d"]
    assert [str(limit) for limit in other[:3]] == ["3wd", "45d", "180d"]
    assert before == {"signed_no_progress": {"red": "45d", "routes": {"leased": {"red": "20d"}}}}


def test_a_rule_switched_off_is_silent_and_stops_nobody() -> None:
    policy = version(2, "2026-01-01", 1, {"signed_no_progress": {"enabled": False}})
    clock = Running("signed_no_progress", "signed_on", date(2026, 1, 1), date(2026, 1, 1), True, None)
    assert policy.reasons([clock], date(2026, 6, 1)) == []
    assert policy.stopped_on([clock], date(2026, 6, 1)) is None
    assert policy.streams("red", date(2026, 6, 1), ["signed_no_progress"]) == []


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[limits.nope]\nred = '1d'", "limits.nope"),
        ("[limits.signed_no_progress]\norange = '1d'", "limits.signed_no_progress.orange"),
        ("[limits.signed_no_progress]\nred = 30", "limits.signed_no_progress.red"),
        ("[limits.signed_no_progress]\nred = '30'", "limits.signed_no_progress.red"),
        ("[limits.signed_no_progress]\nred = '0wd'", "limits.signed_no_progress.red"),
        ("[limits.signed_no_progress]\nenabled = 'no'", "limits.signed_no_progress.enabled"),
        ("[limits.signed_no_progress.leased]\npurple = '1d'", "limits.signed_no_progress.leased.purple"),
        ("[rules.signed_no_progress]\nred = '1d'", "rules"),
        ("limits = 3", ""),
        ("red = ", ""),
    ],
)
def test_a_wrong_file_is_told_where(text: str, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        changed_body({}, read_file(text))
    assert not field or field in [row["field"] for row in refusal.value.extra["errors"]]


def test_versions_are_kept_and_read_back(database_url: str) -> None:
    database, book = Database(database_url), PolicyBook()
    with database.write() as connection:
        assert [one.id for one in book.versions(connection)] == [1]
        made = set_policy(connection, book, {"limits": {"claim_waiting": {"red": "3m"}}}, effective_from=date(2026, 6, 1), now=START)
    with database.snapshot() as connection:
        assert book.governing(connection, date(2026, 6, 1), None).body == made.body == {"claim_waiting": {"red": "3m"}}
        assert book.governing(connection, date(2026, 5, 31), None).id == 1
        shown = book.governing(connection, date(2026, 6, 1), None).shown()
    database.dispose()
    assert changed_body({}, read_file(as_toml(shown)))["claim_waiting"]["red"] == "3m"
