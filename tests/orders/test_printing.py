"""An order on paper: what it says, and that nothing anybody wrote can break it."""

from __future__ import annotations

import io
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

import docx
import pytest

from app.orders import printing
from tests.cast import County

HOSTILE = "<b>\"'&amp;{{ 7*7 }}{% raw %}</w:t></w:r> ]]> <script>alert(1)</script> \u202e 𠮷"
CONTROLS = "".join(map(chr, range(32))) + "\x7f\ufffe\uffff\ud800\udfff"


class Cells(HTMLParser):
    """The texts of a page's cells, and every tag it has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.cells: list[str] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        if tag in ("td", "th"):
            self._inside = True
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.cells[-1] += data


def cells_of(content: bytes) -> list[str]:
    document = docx.Document(io.BytesIO(content))
    return [cell.text for table in document.tables for row in table.rows for cell in row.cells]


def test_an_order_is_printed_as_an_office_prints_it(county: County) -> None:
    ref = county.register("officer")
    county.sign(ref, "2026-03-01", "officer")
    made = county.post("officer", "/orders", {"ref": ref, "rule": "signed_no_progress"})
    county.post("clerk", f"/orders/{made['id']}/receive", {})
    county.post("clerk", f"/orders/{made['id']}/reply", {"text": "第一行\n第二行"})
    page = county.as_("clerk").get(f"/orders/{made['id']}.html")
    file = county.as_("clerk").get(f"/orders/{made['number']}.docx")
    assert page.headers["content-type"].startswith("text/html") and "default-src 'none'" in page.headers["content-security-policy"]
    assert file.headers["content-type"] == printing.DOCX
    assert unquote(file.headers["content-disposition"]).endswith("utf-8''督办单督办〔2026〕1号.docx")
    for cells in (Cells(page.text).cells, cells_of(file.content)):
        told = dict(reversed(list(pairwise(cells))))
        assert (told["责任单位"], told["下达日期"], told["办理期限"]) == ("示例1镇", "2026年6月10日", "2026年6月17日")
        assert told["督办事项"] == made["matter"] and told["办理要求"] == made["requirement"]
        assert told["签收"] == "示例1镇 经办人　2026年6月10日" and told["办理情况"] == "第一行\n第二行"
        assert cells[-12:-8] == ["日期", "环节", "经办", "内容"] or "下达" in cells
    document = docx.Document(io.BytesIO(file.content))
    texts = [paragraph.text for paragraph in document.paragraphs]
    assert texts[:2] == ["督办单", "督办〔2026〕1号"] and texts[-2:] == ["县招商局", "2026年6月10日"]
    for who in ("other", "department"):
        for kind in ("html", "docx"):
            assert county.as_(who).get(f"/orders/{made['id']}.{kind}").status_code == 404


def test_what_people_write_is_text(county: County) -> None:
    long = "长" * 4000
    made = county.post("officer", "/orders", {"office": "T01", "matter": HOSTILE, "requirement": long})
    county.post("clerk", f"/orders/{made['id']}/receive", {})
    county.post("clerk", f"/orders/{made['id']}/reply", {"text": HOSTILE})
    page = Cells(county.as_("clerk").get(f"/orders/{made['id']}.html").text)
    assert not page.tags & {"script", "b"}
    for cells in (page.cells, cells_of(county.as_("clerk").get(f"/orders/{made['id']}.docx").content)):
        told = dict(reversed(list(pairwise(cells))))
        assert told["督办事项"] == told["办理情况"] == HOSTILE and told["办理要求"] == long


@pytest.mark.parametrize("text", [CONTROLS, f"前{CONTROLS}后", "\r\n\r", ""])
def test_what_no_xml_may_carry_is_left_out(text: str) -> None:
    """Names may come from an import of long ago; nothing that is stored can make an order unprintable."""
    actor = {"office": {"name": text}, "role": "clerk", "on_behalf": True}
    event = {"action": "reply", "label": "回复", "granted": None, "until": None, "text": text, "actor": actor}
    order: dict[str, Any] = {
        "number": "督办〔2026〕1号", "issuer": {"name": text}, "office": {"name": text}, "person": {"name": text},
        "project": {"name": text, "ref": "p"}, "source": {"label": text, "level": "red"}, "matter": text, "requirement": text,
        "overdue": True, "days_over": 3, "state_label": "办理中",
    }  # fmt: skip
    day = {name: None for name in ("issued_on", "due_on", "replied_on", "closed_on")}
    order |= day | {"events": [event | {"happened_on": None}]}
    assert "办理中（逾期 3 天）" in cells_of(printing.as_docx(order))
    page = printing.as_html(order)
    assert page.encode("utf-8").decode() == page and not any(mark in page for mark in "\x00\x07\x0b\x0c\x1b\ufffe")
