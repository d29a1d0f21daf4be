"""The whole OpenAPI under fire, on both databases: no 5xx, no undocumented status, no answer of another shape."""

from __future__ import annotations

import zlib
from contextlib import closing

import pytest
from schemathesis import GenerationMode

from app.projects.rebuild import check, verify_chains
from app.robots import courier
from app.robots.kinds.base import Reply
from tests.cast import County
from tests.fuzz.sender import MODES, Sender, found_people
from tests.invariants import check_invariants

SEED, EXAMPLES = 20260610, 8
"""Fixed, so that a failure is a failure again; `make fuzz` takes other seeds for an hour."""

RARE = {
    "POST /api/v1/deliveries/{number}/resend", "GET /api/v1/deliveries/{number}",  # nothing was sent
    "POST /api/v1/channels/{channel}/resume",
    "POST /api/v1/robots", "PATCH /api/v1/robots/{number}", "DELETE /api/v1/robots/{number}", "POST /api/v1/robots/{number}/test",
    "DELETE /api/v1/ledger-columns/aliases/{number}",
    "GET /api/v1/runs/{day}", "GET /healthz/daily",  # nothing ran
    "GET /api/v1/imports/{number}", "GET /api/v1/imports/{number}/errors.xlsx", "POST /api/v1/imports/{number}/apply",
    "POST /api/v1/projects/{ref}/exit-review", "POST /api/v1/stalls/{stall}/acknowledge", "POST /api/v1/stalls/{stall}/snooze",
    *(f"POST /api/v1/orders/{{order}}/{step}" for step in ("receive", "reply", "extend", "decide-extension", "close", "send-back")),
    "POST /api/v1/facts/{fact_id}/recognise", "POST /api/v1/facts/{fact_id}/return", "POST /api/v1/facts/{fact_id}/void",
    "PATCH /api/v1/projects/{ref}", "POST /api/v1/calendar", "POST /api/v1/projects/{ref}/moves", "POST /api/v1/projects/{ref}/evidence",
    "POST /api/v1/projects/{ref}/reports", "POST /api/v1/projects/{ref}/milestones", "POST /api/v1/projects/{ref}/funds",
}  # fmt: skip
"""What a short run need not do with success; the long one must."""


@pytest.mark.timeout(300)  # some 20 s; a machine that does six other things may take its time
def test_every_operation_keeps_what_it_documents(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "post", lambda *args: Reply(200, {}, b'{"errcode": 0}'))  # nobody outside is called
    tokens = county.tokens | found_people(county.house) | {"a stranger": "0123456789ab.nothing"}
    with closing(Sender(county.address, tokens, county.clock.today())) as sender:
        for _ in range(3):
            ref = county.register("clerk")
            county.sign(ref)
            sender.known["ref"].append(ref)
        for operation in sender.operations():
            for mode in MODES:
                number = SEED + zlib.crc32(f"{operation.label} {mode}".encode())
                print(f"seed {number}: {operation.label} {mode.value}")
                sender.fire(operation, mode, EXAMPLES, number)
        for turn in range(1, 6):  # few requests are made: whom chance kept out gets a few more
            reached = {label for label, status in sender.sent if status < 300}
            for operation in sender.operations():
                if operation.label not in reached | RARE:
                    sender.fire(operation, GenerationMode.POSITIVE, EXAMPLES, SEED + turn)
        reached = {label for label, status in sender.sent if status < 300}
    assert {operation.label for operation in sender.operations()} - reached <= RARE, "requests no longer get past the door"
    with county.database.snapshot() as connection:
        check_invariants(connection)
    assert check(county.database) == [] and verify_chains(county.database, county.house.audit_key) == []
