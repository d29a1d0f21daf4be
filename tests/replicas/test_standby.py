"""A standby answers lists and files: never with less than was acknowledged, never for a revoked token, and never instead of nobody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app import standby as standbys
from app.db import Database, migrate
from app.offices import service as offices
from app.settings import Settings
from app.standby import Standby, StandbyAway, place
from tests.cast import County, make_settings, running
from tests.postgres import SETTINGS, Cluster
from tests.replicas.waiting import until


class Pair:
    """A primary with a register, the standby that follows it, and who answered."""

    def __init__(self, primary: Cluster, standby: Cluster, url: str) -> None:
        self.primary, self.standby, self.url = primary, standby, url
        self.aside = url.replace(f":{primary.port}/", f":{standby.port}/")
        self.answered: list[str] = []

    def on_standby(self, statement: str) -> None:
        with psycopg.connect(self.aside, autocommit=True) as connection:
            connection.execute(statement)

    def asked(self) -> list[str]:
        """Who answered since the last time, "standby" or why it did not."""
        told, self.answered[:] = list(self.answered), []
        return told

    def served(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
        read = Standby.read

        def noted(one: Standby, *given: object) -> object:
            try:
                found = read(one, *given)  # type: ignore[arg-type]
            except StandbyAway as away:
                self.answered.append(str(away))
                raise
            self.answered.append("standby")
            return found

        monkeypatch.setattr(Standby, "read", noted)
        for rest in ("REST_AWAY", "REST_BEHIND"):
            monkeypatch.setattr(standbys, rest, 0.0)
        return make_settings(self.url, folder, read_database_url=self.aside)


@pytest.fixture(scope="module")
def clusters() -> Iterator[tuple[Cluster, Cluster]]:
    primary = Cluster.start_new(settings={**SETTINGS, "synchronous_commit": "on"})
    standby = None
    try:
        standby = Cluster.start_new(settings=SETTINGS, copy_of=primary)
        yield primary, standby
    finally:
        if standby is not None:
            standby.remove()
        primary.remove()


@pytest.fixture
def pair(clusters: tuple[Cluster, Cluster]) -> Pair:
    primary, standby = clusters
    url = primary.new_database()
    migrate(url)
    made = Pair(primary, standby, url)
    until(lambda: follows(made), "the standby does not follow")
    return made


def follows(pair: Pair) -> bool:
    try:
        with psycopg.connect(pair.aside, autocommit=True) as connection:
            return connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    except psycopg.Error:
        return False


def names(county: County, who: str = "officer") -> set[str]:
    return {one["name"] for one in county.get(who, "/projects", limit=200)["items"]}


def test_whoever_reported_sees_it_and_so_does_everybody_else(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(pair.served(tmp_path, monkeypatch)) as county:
        for number in range(30):
            county.register(name=f"项目{number}")
            assert f"项目{number}" in names(county, "clerk" if number % 2 else "officer")
        told = pair.asked()
        assert len(told) == 30 and told.count("standby") > 15, told
        ref = county.register()
        county.sign(ref, on="2026-03-01")
        county.get("officer", "/signed-then-stopped", count=True)
        county.get("officer", f"/projects/{ref}", as_of="2026-03-02")
        county.get("officer", f"/projects/{ref}/facts")
        csv = county.as_("officer").get("/projects.csv")
        assert csv.status_code == 200 and csv.text.count("项目29") == 1
        assert "standby" in pair.asked()


def test_a_standby_that_is_behind_does_not_answer(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(pair.served(tmp_path, monkeypatch)) as county:
        county.register(name="before")
        assert names(county) == {"before"}
        pair.on_standby("SELECT pg_wal_replay_pause()")
        try:
            pair.asked()
            county.register(name="after")
            assert names(county) == {"before", "after"} and pair.asked() == ["it is behind"]
            with county.database.write() as connection:
                offices.revoke_token(connection, county.tokens["leader"].partition(".")[0], county.house.clock.now())
            assert county.as_("leader").get("/projects").status_code == 401, "a revoked token"
        finally:
            pair.on_standby("SELECT pg_wal_replay_resume()")
        until(lambda: names(county) == {"before", "after"} and pair.asked() == ["standby"], "the standby is not asked again")


def test_what_is_settled_is_the_same_on_both(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(pair.served(tmp_path, monkeypatch)) as county:
        for number in range(5):
            county.register(name=f"项目{number}")
        known = county.clock.now().isoformat()
        county.at("2026-06-10T11:00:00+08:00")
        there = county.get("officer", "/projects", known_at=known)
        assert pair.asked()[-1] == "standby" and there["settled"]
        monkeypatch.setattr(Standby, "awake", False)
        assert county.get("officer", "/projects", known_at=known) == there


def test_a_standby_that_is_gone_is_not_missed(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(pair.served(tmp_path, monkeypatch)) as county:
        county.register(name="here")
        assert names(county) == {"here"}
        pair.standby.stop("immediate")
        try:
            pair.asked()
            assert names(county) == {"here"} and pair.asked() not in ([], ["standby"])
        finally:
            pair.standby.start()
        until(lambda: names(county) == {"here"} and pair.asked() == ["standby"], "the standby is not asked again")


def test_it_is_left_alone_for_a_while(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it rests nobody waits for it."""
    away = Standby("postgresql://luodi@127.0.0.1:1/nothing", 1)
    database = Database(pair.url)
    with database.statement() as connection:
        so_far = place(connection)
    assert away.awake
    with pytest.raises(StandbyAway):
        away.read(so_far, lambda _: 1)
    assert not away.awake
    database.dispose()


def test_another_primary_is_no_standby(pair: Pair, postgresql_url: str) -> None:
    """A standby that was promoted, or a server that never was ours, may know more or less: it is not asked."""
    database = Database(pair.url)
    with database.statement() as connection:
        so_far = place(connection)
    for url in (pair.url, postgresql_url):
        stranger = Standby(url, 1)
        with pytest.raises(StandbyAway, match="no standby"):
            stranger.read(so_far, lambda _: 1)
        stranger.database.dispose()
    stranger = Standby(pair.aside, 1)
    with pytest.raises(StandbyAway, match="no standby"):
        stranger.read(so_far._replace(cluster=so_far.cluster + 1), lambda _: 1)
    stranger.database.dispose()
    database.dispose()


def test_an_ordinary_role_may_ask(pair: Pair) -> None:
    with psycopg.connect(pair.url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS ordinary")
        connection.execute("CREATE ROLE ordinary LOGIN")
    database = Database(pair.url.replace("luodi@", "ordinary@"))
    with database.statement() as connection:
        so_far = place(connection)
    standby = Standby(pair.aside.replace("luodi@", "ordinary@"), 1)

    def there() -> bool:
        try:
            return standby.read(so_far, lambda connection: connection.exec_driver_sql("SELECT 1").scalar()) == 1
        except StandbyAway:
            standby._rests_until = 0.0
            return False

    until(there, "it may not")
    standby.database.dispose()
    database.dispose()


def test_only_a_server_has_a_standby() -> None:
    with pytest.raises(ValueError, match="standby"):
        Settings(read_database_url="sqlite:///x.db")
