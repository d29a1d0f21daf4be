"""Ledgers over REST: send a file, see what it would do, apply it, fetch the rows that have to be mended."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as PathParam
from starlette.responses import Response, StreamingResponse

from app.ledgers import aliases, exporting, ledger_book, queries, service
from app.ledgers.answers import AliasOut, ColumnsOut, ImportOut, ImportPageOut, ImportRowsOut
from app.ledgers.schemas import AliasIn, ApplyIn, ExportIn, ImportsIn, RowsIn, SendIn, Sent
from app.ledgers.upload import FILE, Upload, upload_of
from app.lists import files
from app.lists.api import FileAnswer, one_of_few
from app.offices.access import COLUMNS, REPORT
from app.offices.desk import Answer, Work, house_of, reading, seen, writing
from app.offices.queries import scope
from app.projects.api import PROBLEMS

router = APIRouter(prefix="/api/v1", tags=["imports"], responses=PROBLEMS)
Number = Annotated[int, PathParam(ge=1, le=2**53)]


@router.post("/imports", status_code=202, responses={202: {"model": ImportOut}}, openapi_extra={"requestBody": FILE})
def send_ledger(request: Request, given: Annotated[SendIn, Query()], upload: Annotated[Upload, Depends(upload_of)]) -> Response:
    """Take a ledger in: the body is the file, or a form with one file; at most 10 MB. It is read, planned and (without `dry_run`)
    written in the background; `Location` says where to look."""
    said = upload.said(given)
    sent = Sent(**said.model_dump(), sha256=hashlib.sha256(upload.data).hexdigest())

    def verb(work: Work) -> Answer:
        work.caller.must(REPORT)
        number = service.receive(work, upload.data, said)
        return Answer(queries.shown(work, number), 202)

    return _located(writing(request, sent, verb))


@router.get("/imports", responses={200: {"model": ImportPageOut}})
def imports(request: Request, given: Annotated[ImportsIn, Query()]) -> Response:
    """The imports of the caller's offices, newest first."""
    return reading(request, lambda work: queries.page(work, given.limit, given.cursor))


@router.get("/imports/{number}", responses={200: {"model": ImportRowsOut}})
def one_import(request: Request, number: Number, given: Annotated[RowsIn, Query()]) -> Response:
    """How far an import came, and its rows a page at a time: what each would change, or did, and what is wrong with it."""
    return reading(request, lambda work: queries.rows_page(work, number, given))


@router.post("/imports/{number}/apply", status_code=202, responses={202: {"model": ImportOut}})
def apply_import(request: Request, number: Number, given: ApplyIn | None = None) -> Response:
    """Apply what was tried. 409 `import_moved` when one of its projects changed since: try the file again."""

    def verb(work: Work) -> Answer:
        work.caller.must(REPORT)
        service.apply(work, number)
        return Answer(queries.shown(work, number), 202)

    return _located(writing(request, given, verb))


def _located(answer: Response) -> Response:
    if answer.status_code == 202:
        answer.headers["Location"] = f"/api/v1/imports/{orjson.loads(bytes(answer.body))['id']}"
    return answer


@router.get("/imports/{number}/errors.xlsx", responses={200: {"content": {files.TYPES[files.XLSX]: {}}}}, response_class=Response)
def errors(request: Request, number: Number) -> Response:
    """The rows that have to be mended, as a ledger with the reason first: mend them and send this file."""

    def view(work: Work) -> Any:
        queries.own(work, number)
        file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever sends it closes it
        with tempfile.TemporaryDirectory(prefix="luodi-") as folder:
            path = Path(folder) / "errors.xlsx"
            with one_of_few():
                service.write_errors(work.connection, number, path)
            with path.open("rb") as written:
                shutil.copyfileobj(written, file)
        file.seek(0)
        headers = {"Content-Disposition": files.disposition(f"import-{number}-errors", "导入需修改", work.today(), files.XLSX)}
        return FileAnswer(file, headers, files.TYPES[files.XLSX])

    return reading(request, view)


def _ledger_route(kind: str) -> None:
    """The ledger of the caller's offices, by its suffix."""

    def endpoint(request: Request, given: Annotated[ExportIn, Query()]) -> Response:
        house = house_of(request)

        def view(work: Work) -> tuple[Any, Any]:
            mine = scope(work.connection, work.caller, given.office)
            question = exporting.asked(house, work.connection, mine, given.as_of)
            with one_of_few():
                return question.at.as_of, exporting.written(house, question, kind, given.office or work.caller.office_name)

        day, file = seen(house, request.headers.get("authorization"), view, aside=True)
        return FileAnswer(file, {"Content-Disposition": files.disposition("ledger", ledger_book.TITLE, day, kind)}, files.TYPES[kind])

    endpoint.__name__ = f"ledger_{kind}"
    endpoint.__doc__ = (
        f"The ledger of your offices as {kind.upper()}: the 35 columns and the marks of its rows; edit it and send it to /imports."
    )
    described: dict[int | str, dict[str, Any]] = {200: {"content": {files.TYPES[kind].partition(";")[0]: {}}}}
    router.get(f"/exports/ledger.{kind}", response_class=StreamingResponse, responses=described, tags=["exports"])(endpoint)


for _kind in files.TYPES:
    _ledger_route(_kind)


@router.get(
    "/exports/ledger-template.xlsx",
    response_class=StreamingResponse,
    responses={200: {"content": {files.TYPES[files.XLSX]: {}}}},
    tags=["exports"],
)
def ledger_template(request: Request) -> Response:
    """A blank ledger with its lists to choose from; examples stand on its second sheet."""

    def view(work: Work) -> Any:
        towns = exporting.towns_of(work.connection, scope(work.connection, work.caller))
        file = exporting.template(towns, work.now())
        headers = {"Content-Disposition": files.disposition("ledger-template", ledger_book.TEMPLATE, work.today(), files.XLSX)}
        return FileAnswer(file, headers, files.TYPES[files.XLSX])

    return reading(request, view)


# --- the headers that ledgers are read by -----------------------------------------------------------------------------


def _by(work: Work) -> aliases.By:
    work.caller.must(COLUMNS)
    return aliases.By(work.caller.office_id, work.caller.role, work.caller.person_id)


@router.get("/ledger-columns", responses={200: {"model": ColumnsOut}})
def ledger_columns(request: Request) -> Response:
    """The columns of ledgers with the headers each is read by, and the aliases the bureau added or took away."""
    return reading(request, lambda work: aliases.columns(work.connection))


@router.post("/ledger-columns/aliases", status_code=201, responses={201: {"model": AliasOut}})
def add_alias(request: Request, body: AliasIn) -> Response:
    """Read a header as this field from the next file on (officer or admin of county or bureau)."""

    def verb(work: Work) -> Answer:
        number = aliases.add(work.connection, field=body.field, header=body.header, by=_by(work), now=work.now())
        return Answer(aliases.shown(work.connection, number)[0], 201)

    return writing(request, body, verb)


@router.delete("/ledger-columns/aliases/{number}", status_code=204)
def remove_alias(request: Request, number: Annotated[int, PathParam(ge=1, le=2**31 - 1)]) -> Response:
    """Take an alias away; the next file is read without it."""

    def verb(work: Work) -> Answer:
        aliases.remove(work.connection, number, by=_by(work), now=work.now())
        return Answer(None, 204)

    answer = writing(request, None, verb)
    return Response(None, 204) if answer.status_code == 204 else answer
