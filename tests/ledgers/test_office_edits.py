"""An export that a clerk worked on in LibreOffice: what was typed is taken, and whatever else was done to the file changes nothing."""

from __future__ import annotations

from datetime import date

import pytest

from tests.ledgers.conftest import Register
from tests.ledgers.office_program import FILTERS, edited
from tests.ledgers.test_import_ledger import load, outcomes
from tests.ledgers.test_ledger_export import HEADS, fill, give, read, whole


def letter(title: str, shift: int = 0) -> str:
    place = next(at for at, head in enumerate(HEADS) if head.startswith(title)) + shift
    return (chr(64 + place // 26) if place >= 26 else "") + chr(65 + place % 26)


@pytest.mark.long
@pytest.mark.parametrize("kind", FILTERS)
def test_what_was_typed_is_taken_and_nothing_else(register: Register, kind: str) -> None:
    fill(register)
    out = give(register)
    before = {line["项目编号"]: line for line in read(out)}
    rows = len(before)
    orders = [
        ("sort", f"A2:{letter('行标识')}{rows + 1}", HEADS.index("项目名称")),
        ("columns", 0, 2),
        ("rows", 0, 2),
        ("text", "C1", "示例县招商引资台账（七月）"),
        ("text", "A3", "催办"),
        ("text", "A5", "已电话催办"),
        ("merge", f"{letter('镇区', 2)}4:{letter('镇区', 2)}7"),
        ("hide row", 5),
        ("hide column", HEADS.index("备注") + 2),
        ("text", f"{letter('项目名称', 2)}{rows + 4}", "合计"),
        ("type", f"{letter('协议总投资', 2)}{rows + 4}", f"=SUM({letter('协议总投资', 2)}4:{letter('协议总投资', 2)}{rows + 3})"),
        ("text", f"C{rows + 5}", "填表人：王某"),
    ]
    names = sorted((str(line["项目名称"]) for line in before.values()), reverse=True)
    at = {name: number + 4 for number, name in enumerate(names)}
    one, two = str(before["SL-001"]["项目名称"]), str(before["SL-004"]["项目名称"])
    typed = [
        ("number", f"{letter('协议总投资', 2)}{at[one]}", 15000),
        ("type", f"{letter('签约时间', 2)}{at[one]}", "2026-03-08"),
        ("text", f"{letter('目前进展', 2)}{at[two]}", "厂房封顶"),
    ]
    told = load(register, edited(out, kind, [*orders, *typed]))
    assert {name: count for name, count in outcomes(told).items() if name != "warned"} == {"change": 2, "same": rows - 2}, told.text()
    after = {line["项目编号"]: line for line in read(give(register, "后.xlsx"))}
    changed = {
        (ref, title) for ref, line in after.items() for title, cell in line.items() if before[ref][title] != cell and title in HEADS[1:35]
    }
    assert changed == {
        ("SL-001", next(head for head in HEADS if head.startswith("协议总投资"))),
        ("SL-001", "签约时间"),
        ("SL-004", "目前进展"),
        ("SL-004", "最近更新"),
    }  # fmt: skip  (what is new is reported today)
    assert register.now("SL-001").signed_on == date(2026, 3, 8)
    whole(register)
