"""How answers look: JSON, problem details (RFC 9457), entity tags, cursors."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.errors import BadRequest, DomainError, Invalid, NotFound, Unauthorized, Unavailable
from app.logs import REQUEST

log = logging.getLogger("luodi.http")
GIVEN = "luodi.given"
"""Where the gate leaves a body's JSON in the scope."""
ROUTE = "luodi.route"
"""Where the short way leaves the template of the path, as the framework leaves its route."""
PROBLEMS = "https://luodi.invalid/problems/"
_JSON = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


def dumps(payload: Any) -> bytes:
    """JSON bytes; dates ISO 8601, instants with Z."""
    return orjson.dumps(payload, option=_JSON)


def answer(payload: Any, status: int = 200, etag: int | None = None, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer without a second pass through the framework's encoder (it costs 40 times as much)."""
    response = Response(dumps(payload), status, headers, "application/json")
    if etag is not None:
        response.headers["ETag"] = f'"{etag}"'
    return response


def problem_body(error: DomainError) -> dict[str, Any]:
    """An error as problem details."""
    body = {"type": PROBLEMS + error.code, "title": error.title, "status": error.status, "code": error.code, **error.extra}
    return {**body, "hint": error.hint} if error.hint else body


def problem(error: DomainError, headers: dict[str, str] | None = None) -> Response:
    """The answer an error carries, with the id of the request it answers: what a caller quotes is found in the log."""
    number = REQUEST.get()
    body = problem_body(error) | ({"request_id": number} if number != "-" else {})
    return Response(dumps(body), error.status, {**error.headers, **(headers or {})}, "application/problem+json")


def database_problem(error: DBAPIError | PoolTimeout) -> Response | None:
    """The answer when the database is away or all its connections are in use; None for an error of our own."""
    if isinstance(error, PoolTimeout):
        log.warning("no connection was free")
        return problem(Unavailable())
    if error.connection_invalidated or type(error).__name__ in ("OperationalError", "InterfaceError"):
        log.warning("database unavailable: %s", error.orig)
        return problem(Unavailable())
    return None


def _methods_here(app: FastAPI, path: str) -> list[str]:
    """Every method that some operation offers for a path."""
    for template, offered in app.openapi()["paths"].items():
        pieces = re.split(r"\{[^}]+\}", template)
        if re.fullmatch("[^/]+".join(re.escape(piece) for piece in pieces), path):
            return sorted(method.upper() for method in offered)
    return []


def install_problems(app: FastAPI) -> None:
    """Every refusal of the house and of the framework answers as problem details with a stable code."""

    @app.exception_handler(DomainError)
    async def _refused(request: Request, error: DomainError) -> Response:
        return problem(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        rows = [{"field": printable(one["loc"]), "message": one["msg"], "type": one["type"]} for one in error.errors()[:50]]
        return problem(Invalid("请检查：" + "；".join(f"{row['field']}（{row['message']}）" for row in rows[:5]), errors=rows))

    @app.exception_handler(HTTPException)
    async def _framework(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return problem(NotFound("没有这个地址"))
        if error.status_code == 401:
            return problem(Unauthorized())
        refusal: DomainError = BadRequest(str(error.detail))
        if error.status_code != refusal.status:
            refusal.status, refusal.title = error.status_code, "请求无法处理"
            refusal.code = {405: "method_not_allowed"}.get(error.status_code, "refused")
        headers = dict(error.headers or {})
        if error.status_code == 405:  # the framework names the methods of the first route with this path only
            headers["Allow"] = ", ".join(_methods_here(app, request.url.path)) or headers.get("Allow", "")
        return problem(refusal, headers)

    @app.exception_handler(DBAPIError)
    async def _database(request: Request, error: DBAPIError) -> Response:
        return database_problem(error) or await _broken(request, error)

    @app.exception_handler(PoolTimeout)
    async def _busy(request: Request, error: PoolTimeout) -> Response:
        return database_problem(error) or await _broken(request, error)

    @app.exception_handler(Exception)
    async def _broken(request: Request, error: Exception) -> Response:
        log.error("unexpected error on %s", request.url.path, exc_info=error)
        number = REQUEST.get()
        refusal = DomainError(f"系统内部错误，已记录；请稍后重试，或将编号 {number} 告诉管理员")
        refusal.status, refusal.code, refusal.title = 500, "internal_error", "内部错误"
        return problem(refusal)


def printable(place: Sequence[Any]) -> str:
    """Where a fault is. A field's name may be anything the caller made up: cut short, and held in what JSON can carry."""
    return ".".join(str(part)[:100].encode("utf-8", "replace").decode() for part in place)


Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


ANY = {
    "400": "not valid HTTP, or a query that is not UTF-8",
    "414": "path and query are too long",
    "429": "too often; `Retry-After` says how many seconds to wait",
    "431": "the headers are too large",
    "500": "a defect; it was logged under the request id",
    "503": "the database is away for a moment, or unsafe, or disagrees with us about the time",
}
WITH_BODY = {"408": "the body did not arrive in time", "413": "the body is too large", "415": "the body is not plain JSON in UTF-8"}
"""What every route may answer, and every route that takes a body."""


def document(app: FastAPI) -> None:
    """Put into OpenAPI what every route shares: the bearer token, Idempotency-Key on every POST, If-Match on facts, problems."""
    refused = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemOut"}}}
    made = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        schema = made()
        schema["components"].setdefault("securitySchemes", {})["token"] = {"type": "http", "scheme": "bearer"}
        for path, operations in schema["paths"].items():
            for method, operation in operations.items():
                shared = ANY | (WITH_BODY if method != "get" else {})
                if path.startswith("/api/"):
                    operation["security"] = [{"token": []}]
                    shared = {"401": "no or bad token"} | shared
                for status, text in shared.items():
                    operation["responses"].setdefault(status, {"description": text})
                for status, response in operation["responses"].items():
                    if status >= "4":
                        response["content"] = refused
                given = operation.setdefault("parameters", [])
                if method == "post":
                    given.append(_header("Idempotency-Key", "the same key and body again gets the first answer again", KEY))
                if method == "patch" or (method == "post" and path.startswith(("/api/v1/projects/{ref}/", "/api/v1/orders/{order}/"))):
                    given.append(_header("If-Match", "the ETag that was read; a newer version answers 412", {}, method == "patch"))
        return schema

    app.openapi = described  # type: ignore[method-assign]


KEY = {"minLength": 1, "maxLength": 255, "pattern": "^[ -~]{1,255}$"}
"""Printable ASCII."""


def _header(name: str, description: str, form: dict[str, Any], required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "description": description, "schema": {"type": "string", **form}}


def token_parts(header: str | None) -> tuple[str, str]:
    """(id, secret) of an Authorization header; Unauthorized when it is not of the form `Bearer id.secret`."""
    scheme, _, given = (header or "").partition(" ")
    number, dot, secret = given.strip().partition(".")
    if scheme.lower() != "bearer" or not dot or not number.isalnum() or not number.isascii() or len(number) > 16:
        raise Unauthorized("请在 Authorization 中给出 Bearer 令牌")
    return number, secret


class Cursors:
    """Opaque, signed page positions: whoever makes one up gets a clear refusal."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def _mac(self, raw: bytes, of: str) -> bytes:
        return hmac.new(self._key, of.encode() + b"\x1e" + raw, hashlib.sha256).digest()[:12]

    def pack(self, state: Any, of: str) -> str:
        """A cursor that holds `state`, good for the list `of` (its name and filters) and no other."""
        raw = dumps(state)
        return base64.urlsafe_b64encode(self._mac(raw, of) + raw).decode().rstrip("=")

    def unpack(self, text: str, of: str) -> Any:
        """What `pack` was given for the same list; Invalid for anything else."""
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            if len(raw) < 13 or not hmac.compare_digest(raw[:12], self._mac(raw[12:], of)):
                raise ValueError
            return orjson.loads(raw[12:])
        except ValueError as error:
            raise Invalid(
                "cursor 无效，或属于另一个列表或另一组筛选条件；请从第一页重新查询",
                errors=[{"field": "cursor", "message": "invalid cursor"}],
            ) from error
