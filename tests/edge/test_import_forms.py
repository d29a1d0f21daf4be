"""A ledger sent as a form, the way browsers and `curl -F` do: the same import, or a plain word why not."""

from __future__ import annotations

from typing import Any

import pytest

from app.ledgers import running
from tests.api.test_imports import ledger
from tests.cast import County
from tests.ledgers.test_import_ledger import cells


def form(county: County, files: Any, data: dict[str, Any] | None = None, query: str = "", status: int = 202) -> Any:
    answer = county.as_("officer").post(f"/imports{query}", files=files, data=data)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_form_is_the_file_with_its_name(county: County) -> None:
    file = ledger(cells(1))
    sent = form(county, {"台账": ("C:\\台账\\五月 招商.xlsx", file, "application/octet-stream")}, {"dry_run": "true"})
    assert (sent["state"], sent["file"]["name"], sent["file"]["size"]) == ("planning", "五月 招商.xlsx", len(file))
    running.run_waiting(county.house)
    assert county.get("officer", f"/imports/{sent['id']}")["counts"]["create"] == 1
    assert county.get("officer", "/projects")["items"] == []
    bare = county.as_("officer").post("/imports?dry_run=true", content=file)
    assert bare.json()["file"]["sha256"] == sent["file"]["sha256"]
    named = form(county, {"file": ("a.xlsx", file)}, {"name": "六月"}, "?dry_run=true")
    assert (named["file"]["name"], named["state"]) == ("六月", "planning")


@pytest.mark.parametrize(
    ("files", "data", "query", "field"),
    [
        ({"a": (None, "text")}, {}, "", "file"),
        ([("a", ("1.xlsx", b"x")), ("b", ("2.xlsx", b"y"))], {}, "", "body"),
        ({"a": ("1.xlsx", b"x")}, {"dry_run": ["true", "false"]}, "", "body"),
        ({"a": ("1.xlsx", b"x")}, {"dry_run": "true"}, "?dry_run=false", "dry_run"),
        ({"a": ("1.xlsx", b"x")}, {"dryrun": "true"}, "", "dryrun"),
        ({"a": ("1.xlsx", b"x")}, {"dry_run": "perhaps"}, "", "dry_run"),
        ({"a": ("1.xlsx", b"x")}, {f"f{number}": "1" for number in range(11)}, "", "body"),
        ({"a": ("1.xlsx", b"")}, {}, "", None),
    ],
)
def test_what_is_no_form_with_one_file_imports_nothing(
    shared: County, files: Any, data: dict[str, Any], query: str, field: str | None
) -> None:
    before = len(shared.get("officer", "/imports")["items"])
    told = form(shared, files, data, query, 422)
    assert ((told["errors"][0]["field"] if field else None), len(shared.get("officer", "/imports")["items"])) == (field, before)


@pytest.mark.parametrize(
    "body", [b"", b"--x", b"--x\r\n\r\n\r\n--x--\r\n", b"\0" * 100, b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n"]
)
@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "multipart/form-data", "Multipart/Form-Data; boundary=" + "y" * 300])
def test_broken_forms_are_told(shared: County, kind: str, body: bytes) -> None:
    answer = shared.as_("officer").post("/imports", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json", answer.text
    assert answer.json()["errors"][0]["message"] and answer.json()["hint"]
