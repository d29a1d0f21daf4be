"""The lists over REST: pages of JSON, whole files, and the filters that offices keep."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Annotated, Any, cast

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.errors import Busy
from app.lists import files, service
from app.lists.listings import LISTINGS, Asked
from app.lists.notes import notes
from app.lists.queries import filters_of
from app.lists.schemas import FilterIn, FilterOut, FiltersOut
from app.offices.desk import Answer, Work, house_of, reading, seen, writing
from app.offices.queries import scope
from app.projects.answers import ProjectPageOut
from app.projects.api import PROBLEMS, envelope, pinned
from app.projects.asking import ListIn, ProjectList
from app.stalls.schemas import StallList, StallPageOut, StoppedList, StoppedPageOut

router = APIRouter(prefix="/api/v1", tags=["lists"], responses=PROBLEMS)
AT_ONCE = threading.BoundedSemaphore(4)
"""Files that one process writes at a time: a long one keeps a thread, and the others are for those who report."""


def asked_by(work: Work, given: ListIn, name: str) -> tuple[Asked, Any]:
    """(the question with its saved filter, moment, policy and offices; the position to read from)."""
    given = service.laid_under(work, given, name)
    at, policy, after = pinned(work, given, given.cursor)
    return Asked(work, given, at, policy, scope(work.connection, work.caller, given.office)), after


def answered(request: Request, name: str, given: ListIn) -> Response:
    """A page of a list, or the whole of it when a file is asked for by Accept."""
    if kind := files.wanted(request.headers.get("accept", "")):
        return filed(request, name, given, kind)

    def view(work: Work) -> Any:
        asked, after = asked_by(work, given, name)
        rows, position, total = LISTINGS[name].page(asked, after)
        return envelope(work, asked.given, rows, asked.at, asked.policy, position, total)

    return reading(request, view, aside=True)


@contextmanager
def one_of_few() -> Iterator[None]:
    """A place for writing a file; Busy when all are taken."""
    if not AT_ONCE.acquire(blocking=False):
        raise Busy("正在生成的文件已达上限，请稍后再导出")
    try:
        yield
    finally:
        AT_ONCE.release()


def filed(request: Request, name: str, given: ListIn, kind: str) -> Response:
    """The whole list as a file, from one snapshot of the database. It is complete before its first byte leaves, so that a slow
    reader holds neither a connection nor a thread, and a refusal is an answer and not half a file."""
    house, listing = house_of(request), LISTINGS[name]

    def view(work: Work) -> tuple[Asked, IO[bytes]]:
        asked, _ = asked_by(work, given.model_copy(update={"cursor": None}), name)
        with one_of_few():
            now = house.clock.now()
            return asked, files.written(listing.columns, listing.every(asked), kind, notes(listing, asked, now), listing.title, now)

    asked, file = seen(house, request.headers.get("authorization"), view, aside=True)
    headers = {"Content-Disposition": files.disposition(name, listing.title, asked.at.as_of, kind)}
    return FileAnswer(file, headers, files.TYPES[kind])


class FileAnswer(StreamingResponse):
    """A file that is closed when the answer ends, also when nobody took a single piece of it."""

    def __init__(self, file: IO[bytes], headers: dict[str, str], kind: str) -> None:
        super().__init__(files.pieces(file), 200, headers, kind)
        self.file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.file.close()


def _described(model: Any) -> dict[int | str, dict[str, Any]]:
    """A list's answer: its page as JSON, or a file by Accept."""
    return {200: {"model": model, "content": {name.partition(";")[0]: {} for name in files.TYPES.values()}}}


@router.get("/projects", responses=_described(ProjectPageOut), tags=["projects"])
def list_projects(request: Request, given: Annotated[ProjectList, Query()]) -> Response:
    """Projects of your offices, a page at a time; `next_cursor` goes into `cursor` with the same filters. CSV and XLSX by Accept."""
    return answered(request, "projects", given)


@router.get("/signed-then-stopped", responses=_described(StoppedPageOut))
def signed_then_stopped(request: Request, given: Annotated[StoppedList, Query()]) -> Response:
    """Which projects are signed-then-stopped (签约即止), longest stopped first, and why each one is. CSV and XLSX by Accept."""
    return answered(request, "signed-then-stopped", given)


@router.get("/stalls", responses=_described(StallPageOut))
def list_stalls(request: Request, given: Annotated[StallList, Query()]) -> Response:
    """Every project and rule that has reached a level (that level or worse), with reason, missing proof and advice."""
    return answered(request, "stalls", given)


def _file_route(name: str, kind: str) -> None:
    """The whole list as a file, by its suffix."""
    listing = LISTINGS[name]

    def endpoint(request: Request, given: Any) -> Response:
        return filed(request, name, cast(ListIn, given), kind)

    endpoint.__annotations__["given"] = Annotated[listing.model, Query()]
    endpoint.__name__ = f"{name.replace('-', '_')}_{kind}"
    described: dict[int | str, dict[str, Any]] = {200: {"content": {files.TYPES[kind].partition(";")[0]: {}}}}
    router.get(
        f"/{name}.{kind}", response_class=StreamingResponse, responses=described, summary=f"The whole of {listing.title} as {kind.upper()}"
    )(endpoint)


for _name in LISTINGS:
    for _kind in files.TYPES:
        _file_route(_name, _kind)


@router.get("/filters", responses={200: {"model": FiltersOut}}, tags=["filters"])
def list_filters(request: Request, count: bool = False) -> Response:
    """The filters your office keeps; `url` asks the list with it."""

    def view(work: Work) -> Any:
        rows = filters_of(work.connection, work.caller.office_id)
        return {"items": rows, "total": len(rows)} if count else {"items": rows}

    return reading(request, view)


@router.post("/filters", status_code=201, responses={201: {"model": FilterOut}}, tags=["filters"])
def keep_filter(request: Request, body: FilterIn) -> Response:
    """Keep a question to a list under a name, for everybody in your office."""
    return writing(request, body, lambda work: Answer(service.keep(work, body), 201))


@router.delete("/filters/{number}", status_code=204, tags=["filters"])
def forget_filter(request: Request, number: Annotated[int, Path(ge=1, le=2**31 - 1)]) -> Response:
    """Let go of a filter of your office. Lists asked with it answer 404 from then on."""

    def verb(work: Work) -> Answer:
        service.forget(work, number)
        return Answer(None, 204)

    answer = writing(request, None, verb)
    return Response(None, 204) if answer.status_code == 204 else answer
