"""The lists over REST, JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from app.heart.limits import LEVEL_LABELS
from app.offices.desk import Work, house_of, moment, reading
from app.offices.queries import authenticate, scope
from app.policies.queries import book_of
from app.projects.api import PROBLEMS, envelope, pinned
from app.stalls import queries
from app.stalls.schemas import StallList, StallPageOut, StoppedList, StoppedPageOut

router = APIRouter(prefix="/api/v1", tags=["stalls"], responses=PROBLEMS)
CSV_HEAD = tuple(
    [
        "项目编号",
        "项目名称",
        "镇区",
        "投资方",
        "协议投资额",
        "币种",
        "签约时间",
        "停滞起始日",
        "签约后天数",
        "停滞天数",
        "缺少",
        "原因",
        "亮灯",
        "责任人",
    ]
)


@router.get("/signed-then-stopped", responses={200: {"model": StoppedPageOut}})
def signed_then_stopped(request: Request, given: Annotated[StoppedList, Query()]) -> Response:
    """Which projects are signed-then-stopped (签约即止), longest stopped first, and why each one is. CSV by Accept or suffix."""
    if "text/csv" in request.headers.get("accept", ""):
        return _csv(request, given)

    def view(work: Work) -> Any:
        at, policy, after = pinned(work, given, given.cursor)
        offices = scope(work.connection, work.caller, given.office)
        total = queries.stopped_total(work.connection, at, policy, offices, given.min_days) if given.count else None
        rows, position = queries.stopped_pages(
            work, at, policy, offices, after, limit=given.limit, min_days=given.min_days, down=given.sort.startswith("-")
        )
        return envelope(work, given, rows, at, policy, position, total)

    return reading(request, view)


@router.get("/signed-then-stopped.csv", response_class=StreamingResponse, responses={200: {"content": {"text/csv": {}}}})
def signed_then_stopped_csv(request: Request, given: Annotated[StoppedList, Query()]) -> Response:
    """The whole list as CSV (UTF-8 with a mark, so that Excel reads it)."""
    return _csv(request, given)


def _csv(request: Request, given: StoppedList) -> Response:
    house = house_of(request)
    with house.database.snapshot() as connection:  # refusals are answered before the first line is sent
        caller = authenticate(connection, request.headers.get("authorization"), house.clock.now())
        at = moment(house, given.as_of, given.known_at)
        offices = scope(connection, caller, given.office)
        policy = book_of(house.database).governing(connection, at.as_of, at.pinned)
    at = at._replace(pinned=at.known_at)  # every page by the same knowledge, each in a snapshot of its own: a slow reader holds nothing

    def lines() -> Iterator[bytes]:
        yield b"\xef\xbb\xbf" + _line(CSV_HEAD)
        after, down = None, given.sort.startswith("-")
        while True:
            with house.database.snapshot() as connection:
                work = Work(connection, caller, house)
                rows, after = queries.stopped_pages(work, at, policy, offices, after, limit=200, min_days=given.min_days, down=down)
            yield b"".join(_line(_cells(row)) for row in rows)
            if after is None:
                return

    name = f"signed-then-stopped-{at.as_of}.csv"
    return StreamingResponse(lines(), 200, {"Content-Disposition": f'attachment; filename="{name}"'}, "text/csv; charset=utf-8")


def _cells(row: dict[str, Any]) -> list[Any]:
    money = row["contract_amount"] or {"amount": "", "currency": ""}
    return [
        row["ref"], row["name"], row["office"]["name"], row["investor"], money["amount"], money["currency"],
        row["signed_on"], row["stopped_on"],
        row["days_since_signing"], row["days_stopped"], "、".join(one["label"] for one in row["missing"]),
        "；".join(
            f"{one['label']}（{one['basis_on']} 起 {one['limit']}，超 {one['days_over']} 天{'，工作日暂计' if one['provisional'] else ''}）"
            for one in row["reasons"]
        ),
        LEVEL_LABELS[row["level"]][0], (row["owner"] or {}).get("name"),
    ]  # fmt: skip


def _line(cells: Any) -> bytes:
    """One CSV line; a cell that a spreadsheet would take for a formula is made text."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(
        ["'" + cell if isinstance(cell, str) and cell[:1] in tuple("=+-@\t\r") else "" if cell is None else cell for cell in cells]
    )
    return out.getvalue().encode()


@router.get("/stalls", responses={200: {"model": StallPageOut}})
def list_stalls(request: Request, given: Annotated[StallList, Query()]) -> Response:
    """Every project and rule that has reached a level (that level or worse), with reason, missing proof and advice."""

    def view(work: Work) -> Any:
        at, policy, after = pinned(work, given, given.cursor)
        offices = scope(work.connection, work.caller, given.office)
        total = queries.stall_total(work.connection, at, policy, offices, given.level, given.rule) if given.count else None
        rows, position = queries.stall_pages(work, at, policy, offices, after, level=given.level, rule=given.rule, limit=given.limit)
        return envelope(work, given, rows, at, policy, position, total)

    return reading(request, view)
