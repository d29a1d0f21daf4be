"""Supervision orders over REST: the bureau issues and decides, the unit receives, replies and asks for time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import HTMLResponse, Response

from app.offices.desk import Answer, Work, reading, writing
from app.orders import printing, queries, service
from app.orders.answers import OrderDetailOut, OrdersOut
from app.orders.schemas import CloseIn, DecideIn, ExtendIn, OrderIn, OrderList, ReceiveIn, ReplyIn, SendBackIn
from app.projects.api import PROBLEMS
from app.projects.schemas import In

router = APIRouter(prefix="/api/v1", tags=["orders"], responses=PROBLEMS)
Name = Annotated[str, Path(max_length=64, description="its id, or its number 督办〔2026〕12号")]
DONE: dict[int | str, dict[str, Any]] = {201: {"model": OrderDetailOut}}


@router.get("/orders", responses={200: {"model": OrdersOut}})
def list_orders(request: Request, given: Annotated[OrderList, Query()]) -> Response:
    """The orders of your offices, newest first; a department sees those addressed to it."""

    def view(work: Work) -> Any:
        kept = given.model_dump(exclude={"limit", "cursor", "count"})
        name = f"orders {given.model_dump_json(exclude={'limit', 'cursor', 'count'}, exclude_none=True)}"
        after = int(work.house.cursors.unpack(given.cursor, name)) if given.cursor else None
        asked = queries.Asked(work.caller, work.today(), **kept)
        found = queries.orders(work.connection, asked, limit=given.limit + 1, after=after)
        rows, more = found[: given.limit], len(found) > given.limit
        page = {"items": rows, "next_cursor": work.house.cursors.pack(rows[-1]["id"], name) if more else None}
        return {**page, "total": queries.total(work.connection, asked)} if given.count else page

    return reading(request, view)


@router.post("/orders", status_code=201, responses=DONE)
def issue_order(request: Request, body: OrderIn) -> Response:
    """Issue an order for a late rule of a project, or for a matter of your own (officer of county or bureau)."""

    def verb(work: Work) -> Answer:
        number = service.order_by(work, body)
        return _told(work, queries.row_of(work.connection, str(number), work.caller), 201)

    return writing(request, body, verb)


PAGE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"}
"""A printed order loads nothing and runs nothing."""


@router.get("/orders/{order}.html", response_class=HTMLResponse, responses={200: {"content": {"text/html": {}}}})
def print_order(request: Request, order: Name) -> Response:
    """One order as a page to print."""
    return reading(request, lambda work: HTMLResponse(printing.as_html(_whole(work, order)), headers=PAGE))


@router.get("/orders/{order}.docx", response_class=Response, responses={200: {"content": {printing.DOCX: {}}}})
def order_as_document(request: Request, order: Name) -> Response:
    """One order as a Word document."""

    def view(work: Work) -> Response:
        found = _whole(work, order)
        name = quote(f"督办单{found['number']}.docx")
        headers = {"Content-Disposition": f"attachment; filename=\"order.docx\"; filename*=utf-8''{name}"}
        return Response(printing.as_docx(found), 200, headers, printing.DOCX)

    return reading(request, view)


def _whole(work: Work, order: str) -> dict[str, Any]:
    return queries.detailed(work.connection, queries.row_of(work.connection, order, work.caller), work.caller, work.today())


@router.get("/orders/{order}", responses={200: {"model": OrderDetailOut}})
def read_order(request: Request, order: Name) -> Response:
    """One order with every step of it, and the steps you can take."""
    return reading(request, lambda work: _told(work, queries.row_of(work.connection, order, work.caller), 200))


def _told(work: Work, row: Any, status: int) -> Answer:
    return Answer(queries.detailed(work.connection, row, work.caller, work.today()), status, row["version"])


def _taken(request: Request, order: str, action: str, given: In | None) -> Response:
    def verb(work: Work) -> Answer:
        fields = given.model_dump() if given is not None else {}
        return _told(work, service.take(work, request, order, action, fields), 201)

    return writing(request, given, verb)


def _route(path: str, action: str, model: Any, summary: str) -> None:
    """One POST per step: the same lock, scope, version check and answer."""

    def endpoint(request: Request, order: str, body: Any) -> Response:
        return _taken(request, order, action, body)

    endpoint.__annotations__ |= {"order": Name, "body": model}
    endpoint.__name__ = f"{action}_order"
    if model in OPTIONAL:
        endpoint.__defaults__ = (None,)
        endpoint.__annotations__["body"] = model | None
    add: Callable[..., Any] = router.post(f"/orders/{{order}}/{path}", status_code=201, responses=DONE, summary=summary)
    add(endpoint)


OPTIONAL = (ReceiveIn, CloseIn)
for _path, _action, _model, _summary in (
    ("receive", "receive", ReceiveIn, "The unit has the order (签收)"),
    ("reply", "reply", ReplyIn, "The unit says what was done (回复)"),
    ("extend", "extend", ExtendIn, "The unit asks for a later date, up to the day the order is due (申请延期)"),
    ("decide-extension", "decide_extension", DecideIn, "The bureau grants or refuses it (延期审批)"),
    ("close", "close", CloseIn, "The bureau accepts the reply, or withdraws the order with a reason (办结)"),
    ("send-back", "send_back", SendBackIn, "The bureau does not accept the reply (退回重办)"),
):
    _route(_path, _action, _model, _summary)
