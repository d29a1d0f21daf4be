"""`luodi order …`: reading and printing at the server."""

from __future__ import annotations

import io
import json
from pathlib import Path

import docx
import pytest
from typer.testing import CliRunner

from app.cli import app, orders
from app.errors import DomainError
from tests.cast import County

OWN = {"office": "T01", "matter": "企业反映供电\n迟迟未接通", "requirement": "限期接通并回复"}


def test_orders_at_a_terminal(county: County, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "open_house", lambda: county.house)
    made = county.post("officer", "/orders", OWN)
    county.post("clerk", f"/orders/{made['id']}/receive", {"note": "已签收"})
    county.at("2026-06-18T09:00:00+08:00")

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["order", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    line = run("list", "--overdue").strip().split("\t")
    assert line[1:4] == ["督办〔2026〕1号", "示例1镇", "办理中"] and line[5] == "逾期 1 天" and line[6] == "企业反映供电 迟迟未接通"
    assert run("list", "--in-time").strip() == "" and json.loads(run("list", "--json", "--office", "T01"))[0]["id"] == made["id"]
    assert "签收\t示例1镇 经办人\t已签收" in run("show", "督办[2026]1号")
    for name in ("out.docx", "out.html"):
        run("print", str(made["id"]), str(tmp_path / name))
    document = docx.Document(io.BytesIO((tmp_path / "out.docx").read_bytes()))
    assert document.paragraphs[1].text == "督办〔2026〕1号" and "督办〔2026〕1号" in (tmp_path / "out.html").read_text("utf-8")
    with pytest.raises(DomainError):
        run("show", "督办〔2026〕9号")
    with pytest.raises(DomainError):
        run("print", str(made["id"]), str(tmp_path / "out.pdf"))
