"""A county with projects of every kind, told over HTTP, and a way to read a list to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.offices import service as offices
from tests.cast import County, landing, signing

NAMES = (
    "年产5万吨锂电材料项目", "阿尔法芯片", "ABC 物流园", "重庆长行装备", "绿能储能电站", "Ｗｉｄｅ　传感器", "单县食品加工", "章鱼机器人",
    "张家电子", "5号粮油库",
)  # fmt: skip
Walk = Callable[..., list[dict[str, Any]]]


def walked(county: County, who: str, path: str, **params: Any) -> list[dict[str, Any]]:
    """All pages of a list; `total`, when asked for, is what they hold."""
    rows: list[dict[str, Any]] = []
    totals, cursor = set(), None
    for _ in range(200):
        answer = county.as_(who).get(path, params=params | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        page = answer.json()
        rows += page["items"]
        totals.add(page.get("total"))
        cursor = page["next_cursor"]
        if cursor is None:
            assert totals <= {None} or totals == {len(rows)}, (totals, len(rows))
            return rows
    raise AssertionError("the list does not end")


@pytest.fixture
def register(county: County) -> list[str]:
    """Ten projects: some never signed, some stopped, one landed, one paused, one ended; money in three currencies or none."""
    with county.database.write() as connection:
        owners = [
            offices.add_person(connection, office="T01", name=name, email=f"{at}@example.org", role="clerk")
            for at, name in enumerate(("王一", "李二"))
        ]
    refs = []
    for at, name in enumerate(NAMES):
        more: dict[str, Any] = {"investor": f"投资{at % 4}公司"} if at % 3 else {}
        more |= {"owner_id": owners[at % 2]} if at % 4 == 1 else {}
        more |= {"industry": ("食品", "电子")[at % 2], "planned_start_on": f"2027-0{at}-01"} if at in (2, 3, 7) else {}
        refs.append(county.register("officer", name=name, office=f"T0{at % 2 + 1}", effective_on=f"2026-01-0{at % 5 + 1}", **more))
    for at in (0, 1, 2, 4, 5, 7, 8):
        money = {"amount": str(10 ** (at % 3 + 3)), "currency": ("CNY", "USD", "JPY")[at % 3]}
        county.post("officer", f"/projects/{refs[at]}/moves", signing(f"2026-0{at % 3 + 2}-0{at + 1}") | {"contract_amount": money})
    county.post("officer", f"/projects/{refs[2]}/moves", landing("2026-05-01"))
    county.post("clerk", f"/projects/{refs[4]}/follow-ups", {"channel": "visit", "effective_on": "2026-06-01"})
    county.post("clerk", f"/projects/{refs[0]}/funds", {"total": {"amount": "88.50", "currency": "CNY"}, "effective_on": "2026-04-02"})
    county.post("clerk", f"/projects/{refs[0]}/reports", {"text": "厂房", "effective_on": "2026-05-20"})
    pause = {"action": "suspend", "reason": "等", "next_actor": "investor", "until": "2026-09-01", "effective_on": "2026-05-02"}
    county.post("officer", f"/projects/{refs[7]}/moves", pause)
    county.post("officer", f"/projects/{refs[9]}/moves", {"action": "terminate", "reason": "退", "termination": "withdrawn"})
    return refs
