"""The demo county: complete, believable, the same every time, and never in the way of anybody's own data."""

import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest
import sqlalchemy as sa

from app import demo
from app.clock import Clock, FixedClock
from app.errors import Duplicate
from app.heart import facts as kinds
from app.heart import lifecycle, machine, rules
from app.heart.live import complete_proofs, live
from app.heart.standing import fold, standing_on
from app.main import build_house
from app.offices import service as offices
from app.offices.desk import House
from app.offices.models import Office, Token
from app.offices.queries import authenticate
from app.policies.policy import Running
from app.policies.queries import book_of
from app.projects import rebuild, store
from app.projects.models import ClockRow, FactRow, Project, StandingRow
from app.settings import Settings
from tests.conftest import KINDS
from tests.databases import Databases

NOW = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
TOLD_RULES = ("intent_no_progress", "signed_no_progress", "signed_to_registered", "signed_to_filed", "claim_waiting")


def settings_for(url: str, folder: Path) -> Settings:
    return Settings(database_url=url, var_dir=folder / "var", smtp_url=f"file:{folder}/mail", audit_key="test", secret_key="test", dev=True)


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = build_house(settings_for(database_url, tmp_path), FixedClock(ZONE, NOW))
    yield made
    made.database.dispose()


@pytest.fixture(scope="module", params=KINDS)
def county(request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The county filled once, for tests that only look."""
    folder = tmp_path_factory.mktemp("county")
    url = databases.new(request.param, folder)
    made = build_house(settings_for(url, folder), FixedClock(ZONE, NOW))
    demo.fill(made)
    yield made
    made.database.dispose()
    databases.drop(url)


def histories(house: House) -> dict[str, list[kinds.Fact]]:
    found: dict[str, list[kinds.Fact]] = {}
    with house.database.snapshot() as connection:
        query = (
            sa.select(Project.ref, *store.FACT_COLUMNS).join(FactRow, FactRow.project_id == Project.id).order_by(Project.ref, FactRow.seq)
        )
        for ref, *row in connection.execute(query):
            found.setdefault(ref, []).append(store.fact_from(row)._replace(id=0))
    return found


def levels(house: House) -> set[tuple[str, str]]:
    today = house.clock.today()
    with house.database.snapshot() as connection:
        policy = book_of(house.database).governing(connection, today, None)
        rows = connection.execute(
            sa.select(ClockRow).where(ClockRow.known_to.is_(None), ClockRow.valid_from <= today, ClockRow.valid_to > today)
        )
        running = [Running(*(getattr(row, name) for name in Running._fields)) for row in rows]
    return {(reason.rule, reason.level) for reason in policy.reasons(running, today)}


def test_the_county_shows_everything(county: House) -> None:
    today = county.clock.today()
    shown = levels(county)
    for name in TOLD_RULES:
        assert {(name, "yellow"), (name, "red")} <= shown
    assert {name for name, level in shown if level == "exit_review"} >= set(TOLD_RULES) - {"claim_waiting"}
    assert {name for name, _ in shown} == set(rules.BY_NAME)
    with county.database.snapshot() as connection:
        now = (StandingRow.known_to.is_(None), StandingRow.valid_from <= today, StandingRow.valid_to > today)
        stages = {
            row.stage: row.n
            for row in connection.execute(sa.select(StandingRow.stage, sa.func.count().label("n")).where(*now).group_by(StandingRow.stage))
        }
        statuses = set(connection.scalars(sa.select(StandingRow.status).where(*now)))
        towns = connection.scalar(sa.select(sa.func.count()).where(Office.kind == "town"))
    assert set(stages) == set(lifecycle.STAGE_NAMES)
    assert min(stages.values()) > 20
    assert statuses == set(lifecycle.STATUSES)
    assert towns == 12
    assert 270 <= sum(stages.values()) <= 330
    facts = [fact for history in histories(county).values() for fact in history]
    assert {fact.kind for fact in facts} == set(kinds.KINDS) - {kinds.NOTED}
    assert {fact.data["action"] for fact in facts if fact.kind == kinds.MOVED} == set(lifecycle.BY_ACTION)
    assert {fact.data["termination"] for fact in facts if "termination" in fact.data} == set(lifecycle.TERMINATIONS)


def test_the_coming_days_bring_something_new(county: House) -> None:
    today = county.clock.today()
    with county.database.snapshot() as connection:
        policy = book_of(county.database).governing(connection, today, None)
        now = (ClockRow.known_to.is_(None), ClockRow.valid_from <= today, ClockRow.valid_to > today)
        clocks = [Running(*(getattr(row, name) for name in Running._fields)) for row in connection.execute(sa.select(ClockRow).where(*now))]

    def late(days: int, level: str) -> set[int]:
        on = today.fromordinal(today.toordinal() + days)
        return {number for number, clock in enumerate(clocks) for reason in policy.reasons([clock], on) if reason.level == level}

    for days in (1, 2, 3):
        assert late(days, "yellow") - late(days - 1, "yellow")
    assert late(1, "red") - late(0, "red")


def test_every_move_is_one_the_register_would_have_accepted(county: House) -> None:
    for ref, history in histories(county).items():
        for number, fact in enumerate(history):
            if fact.kind != kinds.MOVED:
                continue
            known = fold(history[:number])
            before, on_file = standing_on(known, fact.effective_on), known[-1].standing.proofs
            given = {name: value for name, value in fact.data.items() if value is not None}
            refusal = machine.refuse(fact.data["action"], before, given, {*on_file, *complete_proofs(fact.data.get("evidence", ()))})
            assert refusal is None, f"{ref} {fact.data['action']} {fact.effective_on}: {refusal}"


def test_it_is_recorded_after_it_happened_and_in_order(county: House) -> None:
    today = county.clock.today()
    for history in histories(county).values():
        moments = list(dict.fromkeys(fact.recorded_at for fact in history))
        assert moments == sorted(moments)
        assert all(fact.effective_on <= fact.recorded_on < today for fact in history)
        assert all(fact.recorded_on == county.clock.business_date(fact.recorded_at) for fact in history)
        dates = [row["dated_on"] for fact in history for row in fact.data.get("evidence", ()) if "dated_on" in row]
        assert all(day < today.isoformat() for day in dates)


def test_reviews_act_on_claims_that_were_still_open(county: House) -> None:
    for ref, history in histories(county).items():
        for number, fact in enumerate(history):
            if fact.kind in kinds.REVIEWS:
                kept, recognised = live(history[:number])
                target = next(one for one in kept if one.seq == fact.target)
                assert target.data.get("recognition") == "claimed" and target.seq not in recognised, ref


def test_the_same_day_tells_the_same_county(county: House, sqlite_url: str, tmp_path: Path) -> None:
    other = build_house(settings_for(sqlite_url, tmp_path), FixedClock(ZONE, NOW.replace(hour=9)))
    demo.fill(other)
    assert histories(county) == histories(other)
    other.database.dispose()


@pytest.mark.parametrize("day", ["2026-02-18", "2026-10-04", "2027-03-01", "2028-02-29"])
def test_any_day_will_do(sqlite_url: str, tmp_path: Path, day: str) -> None:
    """Inside a long holiday, in a year whose holidays nobody has published, on a leap day."""
    house = build_house(settings_for(sqlite_url, tmp_path), FixedClock(ZONE, datetime.fromisoformat(f"{day}T00:10:00+08:00")))
    try:
        demo.fill(house)
        assert {(name, level) for name in TOLD_RULES for level in ("yellow", "red")} <= levels(house)
    finally:
        house.database.dispose()


def test_stored_standings_equal_folded_facts_and_chains_are_whole(county: House) -> None:
    assert rebuild.check(county.database) == []
    assert rebuild.verify_chains(county.database, county.audit_key) == []


def test_a_register_in_use_is_left_alone(house: House) -> None:
    with house.database.write() as connection:
        offices.add_office(connection, code="X", name="自有县", kind="county")
    with pytest.raises(Duplicate):
        demo.fill(house)
    with house.database.snapshot() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(Office)) == 1


# first start ------------------------------------------------------------------------------------------


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return settings_for(database_url, tmp_path)


def kept_tokens(settings: Settings) -> dict[str, str]:
    return dict(orjson.loads((settings.var_dir / demo.TOKENS_FILE).read_bytes()))


def test_a_second_start_changes_nothing_and_says_the_same(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    demo.first_start(settings, "http://127.0.0.1:8000")
    first, tokens = capsys.readouterr().out, kept_tokens(settings)
    house = build_house(settings)
    before = histories(house)
    demo.first_start(settings, "http://127.0.0.1:8000")
    second = capsys.readouterr().out
    assert histories(house) == before
    assert kept_tokens(settings) == tokens
    for token in tokens.values():
        assert token in first and token in second
    assert "http://127.0.0.1:8000/docs" in first
    assert stat.S_IMODE((settings.var_dir / demo.TOKENS_FILE).stat().st_mode) == 0o600
    assert list((Path(settings.smtp_url.removeprefix("file:"))).glob("*.eml"))
    house.database.dispose()


def test_tokens_that_are_lost_or_revoked_are_replaced_and_never_pile_up(settings: Settings) -> None:
    house = build_house(settings)
    demo.fill(house)
    for turn in range(4):
        tokens = demo.sign_in(house)
        with house.database.write() as connection:
            for name, (office, role) in demo.SIGN_IN.items():
                caller = authenticate(connection, f"Bearer {tokens[name]}", Clock(ZONE).now())
                assert (caller.office_code, caller.role) == (office, role)
            if turn % 2:
                offices.revoke_token(connection, tokens["town"], Clock(ZONE).now())
            live_ones = connection.scalar(sa.select(sa.func.count()).select_from(Token).where(Token.revoked_at.is_(None)))
        assert live_ones <= 2
        if not turn % 2:
            (settings.var_dir / demo.TOKENS_FILE).unlink()
    house.database.dispose()


def test_two_tokens_of_ones_own_are_left_alone(settings: Settings) -> None:
    house = build_house(settings)
    demo.fill(house)
    (settings.var_dir).mkdir(exist_ok=True)
    (settings.var_dir / demo.TOKENS_FILE).write_text("not JSON")
    with house.database.write() as connection:
        for _ in range(2):
            offices.issue_token(connection, office="T01", role="clerk", now=house.clock.now())
    assert "luodi token revoke" in demo.welcome(house, "http://127.0.0.1:8000")
    assert set(kept_tokens(settings)) == {"bureau"}
    house.database.dispose()


def test_somebody_elses_register_gets_no_tokens(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    house = build_house(settings)
    with house.database.write() as connection:
        offices.add_office(connection, code="X", name="自有县", kind="county")
    demo.first_start(settings, "http://127.0.0.1:8000")
    assert "luodi token issue" in capsys.readouterr().out
    with house.database.snapshot() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(Token)) == 0
    house.database.dispose()
