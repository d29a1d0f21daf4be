"""An import over HTTP: it counts from its moment on, old answers stay, and whoever may not import does not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.calendars import queries, service
from app.calendars.models import CalendarVersion
from app.calendars.sheet import as_sheet
from app.heart import calendar as heart
from app.heart.calendar import Year
from app.policies.queries import book_of
from app.policies.service import set_policy
from tests.calendars.notices import notice
from tests.cast import County

TEXT = {"year": 2027, "text": notice(2027)}
SHIPPED = 23


def stored(county: County) -> int:
    with county.database.snapshot() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(CalendarVersion)) or 0


def five_days(county: County) -> list[str]:
    """Two projects that sign on the second last day of 2026, by rules that count workdays into 2027."""
    county.at("2026-12-30T10:00:00+08:00")
    limits = {"signed_no_progress": {"yellow": "3wd", "red": "5wd"}, "signed_to_registered": {"enabled": False}}
    with county.database.write() as connection:
        set_policy(connection, book_of(county.database), {"limits": limits}, effective_from=date(1900, 1, 1), now=county.clock.now())
    refs = [county.register(effective_on="2026-12-30") for _ in range(2)]
    for ref in refs:
        county.sign(ref, "2026-12-30")
    return refs


LISTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/signed-then-stopped", {}),
    ("/stalls", {"level": "yellow"}),
    ("/stalls", {"rule": "claim_waiting"}),
    ("/projects", {"level": "red"}),
)


def ask(county: County, ref: str, **when: Any) -> list[Any]:
    """Every answer that leans on a due date."""
    found = [county.get("officer", path, **params, **when) for path, params in LISTS]
    return [
        *({key: page[key] for key in ("items", "provisional_years")} for page in found),
        {key: county.get("officer", f"/projects/{ref}", **when)[key] for key in ("flags", "level", "provisional_years")},
    ]


def test_an_import_counts_from_its_moment_on_and_old_answers_stay(county: County) -> None:
    ref = five_days(county)[0]
    county.at("2027-01-06T10:00:00+08:00")
    then = county.clock.now().isoformat()
    before = ask(county, ref, known_at=then)
    assert [len(one["items"]) for one in before[:-1]] == [2, 6, 2, 2]
    stop = before[0]["items"][0]
    assert (stop["stopped_on"], stop["reasons"][0]["due_on"], stop["reasons"][0]["provisional"]) == ("2027-01-06", "2027-01-06", True)
    assert all(one["provisional_years"] == [2027] for one in before)
    assert {flag["rule"] for flag in before[-1]["flags"] if flag["provisional"]} == {"signed_no_progress", "claim_waiting", "owner_missing"}

    county.post("admin", "/calendar", TEXT)  # 1 January is a Friday: off
    assert ask(county, ref, known_at=then) == before
    now = ask(county, ref)
    assert [len(one["items"]) for one in now[:-1]] == [0, 4, 2, 0]
    assert all(one["provisional_years"] == [] for one in now)
    claim = next(flag for flag in now[-1]["flags"] if flag["rule"] == "claim_waiting")
    assert (claim["level"], claim["provisional"]) == ("blue", False)
    county.at("2027-01-07T10:00:00+08:00")
    assert county.get("officer", "/signed-then-stopped")["items"][0]["stopped_on"] == "2027-01-07"
    assert county.get("officer", "/signed-then-stopped", as_of="2027-01-06", known_at=then)["items"][0]["stopped_on"] == "2027-01-06"
    assert ask(county, ref, known_at=then) == before
    assert county.as_("officer").get("/signed-then-stopped.csv", params={"known_at": then}).text.count("工作日暂计") == 2


def test_a_page_that_was_begun_is_ended_by_the_same_calendar(county: County) -> None:
    refs = five_days(county)
    county.at("2027-01-06T10:00:00+08:00")
    first = county.get("officer", "/signed-then-stopped", limit=1)
    county.post("admin", "/calendar", TEXT)
    second = county.get("officer", "/signed-then-stopped", limit=1, cursor=first["next_cursor"])
    assert [page["items"][0]["ref"] for page in (first, second)] == refs
    assert second["items"][0]["stopped_on"] == "2027-01-06" and second["known_at"] == first["known_at"]
    assert county.get("officer", "/signed-then-stopped")["items"] == []


def test_a_blue_light_says_so_too(county: County) -> None:
    five_days(county)
    county.at("2026-12-31T10:00:00+08:00")
    page = county.get("officer", "/stalls", rule="claim_waiting")
    assert [(row["level"], row["due_on"], row["provisional"]) for row in page["items"]] == [("blue", "2026-12-31", True)] * 2
    assert page["provisional_years"] == [2027]


def test_what_was_understood_is_said_and_can_be_tried_first(county: County) -> None:
    tried = county.post("admin", "/calendar", TEXT | {"dry_run": True}, 200)
    assert (tried["stored"], tried["version"], stored(county)) == (False, None, SHIPPED)
    assert tried["holidays"][1] == {"name": "春节", "first": "2027-02-05", "last": "2027-02-12", "days": 8}
    assert {"date": "2027-02-20", "name": "春节"} in tried["workdays"]
    assert "2027-01-01" in tried["becomes_off"] and "2027-01-31" in tried["becomes_workday"] and "2027-01-02" not in tried["becomes_off"]
    assert tried["source"] == "国办发明电〔2026〕12号" and any("2026年12月8日" in one for one in tried["ignored"])
    done = county.post("admin", "/calendar", TEXT)
    assert (done["stored"], done["version"], done["holidays"]) == (True, SHIPPED + 1, tried["holidays"])
    again = county.post("admin", "/calendar", TEXT, 200)
    assert (again["stored"], again["version"], again["becomes_off"], stored(county)) == (False, SHIPPED + 1, [], SHIPPED + 1)


def test_the_calendar_says_what_is_known(county: County) -> None:
    assert county.get("clerk", "/calendar")["year"] == 2026
    assert county.get("clerk", "/calendar", year=2027) | {"published": []} == {
        "year": 2027, "holidays": [], "workdays": [], "version": None, "recorded_at": None, "source": None, "actor": None,
        "provisional": True, "published": [],
    }  # fmt: skip
    county.post("admin", "/calendar", TEXT | {"source": "国办发明电〔2026〕9号"})
    one = county.get("clerk", "/calendar", year=2027)
    assert (one["provisional"], one["source"], one["published"][-1]) == (False, "国办发明电〔2026〕9号", 2027)
    assert one["actor"]["role"] == "admin" and len(one["holidays"]) == 7
    with county.database.snapshot() as connection:
        says = queries.governing(queries.versions(connection, 2027))[0].says
    later = Year(2027, {day: name for day, name in says.holidays.items() if name != "端午节"}, says.workdays)
    told = county.post("admin", "/calendar", {"year": 2027, "csv": as_sheet(later)})
    assert (told["becomes_workday"], told["becomes_off"], told["warnings"]) == (["2027-06-09"], [], ["没有列出端午"])
    versions = county.get("clerk", "/calendar/versions", year=2027)["items"]
    assert [(row["version"], row["in_force"]) for row in versions] == [(SHIPPED + 2, True), (SHIPPED + 1, False)]
    assert len(county.get("clerk", "/calendar/versions")["items"]) == SHIPPED + 2


def test_a_refused_notice_stores_nothing_and_names_everything(county: County) -> None:
    wrong = notice(2027).replace("2月20日（周六）", "2月20日（周五）").replace("共7天", "共6天")
    refusal = county.post("admin", "/calendar", {"year": 2027, "text": wrong}, 422)
    assert refusal["code"] == "validation_error" and len(refusal["errors"]) == 2 and "周五" in refusal["hint"]
    assert {row["field"] for row in refusal["errors"]} == {"text"}
    county.post("admin", "/calendar", {"year": 2028, "text": notice(2027)}, 422)
    assert stored(county) == SHIPPED


def test_only_an_administrator_of_the_county_imports(county: County) -> None:
    for who in ("clerk", "officer", "leader", "auditor", "department"):
        assert county.post(who, "/calendar", TEXT, 403)["code"] == "forbidden"
    assert county.as_("nobody").post("/calendar", json=TEXT).status_code == 401
    assert stored(county) == SHIPPED
    assert "calendar" in county.get("admin", "/me")["may"]


def test_the_same_key_imports_once(county: County) -> None:
    key = {"Idempotency-Key": "notice-2027"}
    first = county.post("admin", "/calendar", TEXT, **key)
    assert county.post("admin", "/calendar", TEXT, **key) == first
    assert county.post("admin", "/calendar", TEXT | {"dry_run": True}, 422, **key)["code"] == "idempotency_mismatch"
    assert stored(county) == SHIPPED + 1


def test_imports_at_once_come_one_after_the_other(county: County) -> None:
    sheets = [f"date,kind,name\n2027-01-{day:02},holiday,元旦\n" for day in (1, 4, 5, 6)] * 3
    client = county.as_("admin")
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda sheet: client.post("/calendar", json={"year": 2027, "csv": sheet}), sheets))
    assert {answer.status_code for answer in answers} <= {200, 201}
    made = sorted((answer.json() for answer in answers if answer.status_code == 201), key=lambda one: one["version"])
    assert [one["version"] for one in made] == list(range(SHIPPED + 1, SHIPPED + 1 + len(made))) and len(made) >= 4
    moments = [datetime.fromisoformat(one["recorded_at"]) for one in made]
    assert moments == sorted(set(moments))
    in_force = county.get("clerk", "/calendar", year=2027)
    assert (in_force["version"], in_force["holidays"]) == (made[-1]["version"], made[-1]["holidays"])
    for one, other in pairwise(made):
        assert one["holidays"] != other["holidays"], "the same twice in a row is nothing new"


@pytest.mark.parametrize(
    "body",
    [
        {}, {"year": 2027}, {"year": 2027, "text": "x", "csv": "y"}, {"year": "2027", "text": "x"}, {"year": 1, "text": "x"},
        {"year": 10**30, "text": "x"}, {"year": 2027, "text": "x" * 20_001}, {"year": 2027, "text": "a\x00b"}, {"year": 2027, "csv": ""},
        {"year": 2027, "text": 5}, TEXT | {"dry_run": 1}, TEXT | {"more": 1}, TEXT | {"source": "a\nb"}, TEXT | {"source": "x" * 501},
        {"year": True, "text": "x"}, {"year": 2027, "text": "9" * 20_000}, {"year": 2027, "text": "1日、" * 6600},
        {"year": 2027, "text": "（" * 20_000}, {"year": 2027, "text": "元旦：" * 6600}, {"year": 2027, "csv": '"' * 20_000},
    ],
)  # fmt: skip
def test_odd_bodies_are_refused(county: County, body: dict[str, Any]) -> None:
    assert county.post("admin", "/calendar", body, 422)["code"] == "validation_error"
    assert stored(county) == SHIPPED


def test_no_text_breaks_the_service(county: County) -> None:
    pieces = st.lists(
        st.sampled_from(["一、元旦：", "1月1日", "（周五）", "至", "3日", "放假", "，共3天", "。", "上班", "、", "\n", "2027年"])
    )

    @given(st.text(max_size=200) | pieces.map("".join), st.sampled_from(["text", "csv"]), st.integers(1949, 2109))
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    def sent(text: str, kind: str, year: int) -> None:
        answer = county.as_("admin").post("/calendar", json={"year": year, kind: "date,kind,name\n" + text if kind == "csv" else text})
        assert answer.status_code in (200, 201, 422), answer.text

    sent()
    for year in ("x", "0", "10000", "1e9", "-1"):
        assert county.as_("clerk").get("/calendar", params={"year": year}).status_code == 422


def test_a_clock_that_goes_back_does_not_reorder_what_is_known(county: County) -> None:
    first = county.post("admin", "/calendar", TEXT)
    county.at("2026-06-10T09:00:00+08:00")
    second = county.post("admin", "/calendar", {"year": 2027, "csv": "date,kind,name\n2027-01-04,holiday,元旦\n"})
    assert datetime.fromisoformat(second["recorded_at"]) > datetime.fromisoformat(first["recorded_at"])
    assert county.get("clerk", "/calendar", year=2027)["version"] == second["version"]


def test_a_new_calendar_is_noticed_without_another_statement(county: County) -> None:
    ref = county.register()
    asked: list[str] = []

    def read() -> int:
        asked.clear()
        county.get("clerk", f"/projects/{ref}")
        return sum(one.startswith("SELECT") for one in asked)

    sa.event.listen(county.database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert [read(), read()][1] == 0, "the one statement of a read goes past SQLAlchemy"
    county.post("admin", "/calendar", TEXT)
    assert [read(), read()] == [2, 0], "the versions are read anew once"


def test_years_of_a_newer_package_are_added_and_imports_stay(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = "date,kind,name\n2027-01-04,holiday,元旦\n"
    county.post("admin", "/calendar", {"year": 2027, "csv": mine})
    newer = [Year(year, {date(year, 1, 1): "元旦"}, {}) for year in (2027, 2028)]
    monkeypatch.setattr(service, "shipped", lambda: (*heart.shipped(), *newer))
    with county.database.write() as connection:
        assert service.seed_missing(connection, datetime(2020, 1, 1, tzinfo=UTC)) == [2028]
        assert service.seed_missing(connection, county.clock.now()) == []
        found = queries.versions(connection)
    assert found[-1].says.year == 2028 and found[-1].recorded_at > found[-2].recorded_at and found[-1].recorded_at.year == 2026
    assert [one.says.holidays for one in queries.governing(found) if one.says.year == 2027] == [{date(2027, 1, 4): "元旦"}]
    with county.database.snapshot() as connection:
        by_now = book_of(county.database).governing(connection, date(2026, 6, 10), None).calendar
        before = book_of(county.database).governing(connection, date(2026, 6, 10), datetime(2026, 6, 10, tzinfo=UTC)).calendar
    assert not by_now.is_provisional(date(2028, 5, 1)) and before.is_provisional(date(2028, 5, 1))
