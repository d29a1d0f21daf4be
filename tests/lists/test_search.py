"""Looking for a project: as its name is written, by initials, in full pinyin; and nothing that is typed does harm."""

from __future__ import annotations

import time
from datetime import date

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app.cli.running import prepare
from app.offices.models import Meta
from app.projects import rebuild, search
from app.projects.models import Project
from tests.cast import County, make_settings, running, signing
from tests.lists.conftest import walked

FOUND = {
    "锂电": "年产5万吨锂电材料项目", "ldcl": "年产5万吨锂电材料项目", "lidian": "年产5万吨锂电材料项目", "NC5WD": "年产5万吨锂电材料项目",
    "５万": "年产5万吨锂电材料项目", " 锂 电 ": "年产5万吨锂电材料项目", "wide": "Ｗｉｄｅ　传感器", "wideCHUAN": "Ｗｉｄｅ　传感器",
    "ABC物": "ABC 物流园", "abc 物流": "ABC 物流园", "cqcx": "重庆长行装备", "cqzx": "重庆长行装备", "changxing": "重庆长行装备",
    "lvneng": "绿能储能电站", "lüneng": "绿能储能电站", "shanxian": "单县食品加工", "sxsp": "单县食品加工", "粮": "5号粮油库",
}  # fmt: skip


def test_a_project_is_found_in_every_way_it_may_be_typed(county: County, register: list[str]) -> None:
    for q, name in FOUND.items():
        assert [row["name"] for row in walked(county, "officer", "/projects", q=q, count=True)] == [name], q
    assert {row["investor"] for row in walked(county, "officer", "/projects", q="tz2gs")} == {"投资2公司"}
    assert [row["ref"] for row in walked(county, "officer", "/projects", q=register[3].lower())] == [register[3]]


@pytest.mark.parametrize("q", ["", " ", "\u3000"])
def test_nothing_typed_looks_for_nothing(county: County, register: list[str], q: str) -> None:
    for path in ("/projects", "/stalls", "/signed-then-stopped"):
        assert county.get("officer", path, q=q, count=True)["total"] == county.get("officer", path, count=True)["total"]


@pytest.mark.parametrize("q", ["%", "_", "!", "\\", "'", "a_b", "锂%料", "' OR 1=1 --", "*", "[a-z]", "😀", "~", "年产\u200b5万"])
def test_what_is_typed_is_only_text(county: County, register: list[str], q: str) -> None:
    for path in ("/projects", "/stalls", "/signed-then-stopped"):
        assert county.get("officer", path, q=q, count=True)["total"] == 0
    named = county.register("officer", name=f"前{q}后")
    assert [row["ref"] for row in walked(county, "officer", "/projects", q=q)] == [named]


def test_too_much_or_unseen_text_is_refused(county: County) -> None:
    for q in ("x" * 101, "a\x00b", "a\nb"):
        assert county.get("officer", "/projects", 422, q=q)["errors"][0]["field"] == "query.q"


def test_the_lists_of_stalls_are_searched_too(county: County, register: list[str]) -> None:
    for path in ("/stalls", "/signed-then-stopped"):
        every = walked(county, "officer", path)
        for q, name in (("锂电", "年产5万吨锂电材料项目"), ("lvneng", "绿能储能电站"), ("gs", None)):
            for sort in ({}, {"sort": "name"}, {"sort": "-due_on" if path == "/stalls" else "-signed_on"}):
                found = walked(county, "officer", path, q=q, limit=1, count=True, **sort)
                wanted = [row for row in every if row["name"] == name or (name is None and row.get("investor"))]
                if name is not None or path != "/stalls":
                    assert wanted and sorted(map(str, found)) == sorted(map(str, wanted)), (path, q, sort)
        assert county.get("other", path, q="锂电", count=True)["total"] == 0


def test_a_search_is_never_settled_because_names_change(county: County, register: list[str]) -> None:
    asked = {"as_of": "2026-04-15", "known_at": "2026-06-10T02:00:00Z"}
    county.at("2026-06-10T11:00:00+08:00")
    asked["known_at"] = "2026-06-10T02:30:00Z"
    assert county.get("officer", "/projects", **asked)["settled"] is True
    assert county.get("officer", "/projects", q="锂电", **asked)["settled"] is False
    assert county.get("officer", "/projects", sort="name", **asked)["settled"] is False
    assert county.get("officer", "/stalls", sort="name", **asked)["settled"] is False
    assert county.get("officer", "/signed-then-stopped", q="锂电", **asked)["settled"] is False


def test_a_new_name_is_found_and_the_old_one_is_not(county: County) -> None:
    ref = county.register("officer", name="旧名称", investor="老东家")
    patch = {"name": "崭新厂房", "investor": None}
    assert county.as_("officer").patch(f"/projects/{ref}", json=patch, headers={"If-Match": '"1"'}).status_code == 200
    county.post("officer", f"/projects/{ref}/moves", signing("2026-03-01"))  # tells no name: the keys stay
    assert [row["ref"] for row in walked(county, "officer", "/projects", q="zxcf")] == [ref]
    for q in ("旧名", "jmc", "老东家"):
        assert county.get("officer", "/projects", q=q)["items"] == []
    assert rebuild.check(county.database) == []
    fact = county.get("officer", f"/projects/{ref}/facts")["items"][1]
    assert fact["kind"] == "amended"
    county.post("officer", f"/facts/{fact['id']}/void", {"reason": "改错了"})
    assert [row["ref"] for row in walked(county, "officer", "/projects", q="旧名")] == [ref]
    assert rebuild.check(county.database) == []


def test_migrating_fills_the_keys_and_a_lost_one_is_found_out(county: County, register: list[str], tmp_path: object) -> None:
    settings = county.house.settings
    prepare(settings)
    keys = sa.select(Project.id, *(getattr(Project, name) for name in search.KEYS)).order_by(Project.id)

    def stored() -> list[object]:
        with county.database.snapshot() as connection:
            return [tuple(row) for row in connection.execute(keys)]

    before = stored()
    for told in (False, True):
        with county.database.write() as connection:
            lost = {name: 0 if name == "match_key" else "" for name in search.KEYS}
            connection.execute(sa.update(Project).where(Project.ref != register[0]).values(lost))
            if told:
                connection.execute(sa.update(Meta).where(Meta.name == "keys").values(value="another way"))
        if told:
            prepare(settings)
        else:
            assert len(rebuild.check(county.database)) == 9
            rebuild.rebuild(county.database)
        assert stored() == before


HAN = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), max_size=12)
ANY = st.text(max_size=40)


@given(HAN | ANY, HAN | ANY, st.data())
def test_every_part_of_a_name_finds_it(name: str, investor: str, data: st.DataObject) -> None:
    key = search.keys_of("T01-2026-0001", name, investor)["search_key"]
    for text in (name, investor, "T01-2026-0001"):
        begin = data.draw(st.integers(0, len(text)))
        part = search.normalised(text[begin : data.draw(st.integers(begin, len(text)))])
        if "".join(search.normalised(one) for one in text) == search.normalised(text):  # marks that melt together cannot be cut
            assert part in key


@given(HAN | ANY)
def test_keys_stay_small_and_are_the_same_twice(text: str) -> None:
    keys = search.keys_of("R", text, text)
    assert keys == search.keys_of("R", text, text)
    assert len(keys["search_key"]) < 6000 and len(keys["name_key"]) < 600


def test_a_very_long_name_takes_no_time() -> None:
    began = time.perf_counter()
    keys = search.keys_of("R", "长" * 500, "行" * 500)
    assert time.perf_counter() - began < 5 and len(keys["search_key"]) < 20_000


def test_the_order_of_names_does_not_hang_on_the_database(database_url: str, tmp_path: object) -> None:
    from pathlib import Path

    with running(make_settings(database_url, Path(str(tmp_path)))) as county:
        names = ["李四", "li", "利", "Li 二", "阿", "西安", "先锋", "9", "10", "章", "张", "～", "_", "é", "z", "项目1", "项目10", "项目2"]
        for name in names:
            county.register("officer", name=name, effective_on=date(2026, 1, 1).isoformat())
        shown = [row["name"] for row in walked(county, "officer", "/projects", sort="name", limit=4)]
        assert shown == sorted(names, key=lambda name: search.sort_key(name).encode())
        assert shown == list(reversed([row["name"] for row in walked(county, "officer", "/projects", sort="-name", limit=5)]))
