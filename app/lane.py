"""The short way for what towns do all day: read one project, report one fact. Same endpoints, without the framework's detour.

Routing, parameters and dependencies of the framework cost more than the work itself. Only the plain case goes this way; a
query, an odd body or anything unknown takes the ordinary road, so every answer is the one the documented endpoint gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio.to_thread
import orjson
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from app.errors import DomainError
from app.http import Receive, Scope, Send, database_problem, problem

Read = Callable[[Request, str], Response]
Report = tuple[type[BaseModel], Callable[[Request, str, Any], Response]]


class Lane:
    """ASGI: answers `GET {prefix}{ref}` and `POST {prefix}{ref}/{kind of report}`, and lets the rest pass."""

    def __init__(self, app: Any, prefix: str, read: Read, reports: Mapping[str, Report]) -> None:
        self.app, self.prefix, self.read, self.reports = app, prefix, read, reports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(self.prefix) and not scope["query_string"]:
            ref, slash, kind = scope["path"][len(self.prefix) :].partition("/")
            if ref and not slash and scope["method"] == "GET":
                await (await _answered(scope, self.read, ref))(scope, receive, send)
                return
            if ref and scope["method"] == "POST" and kind in self.reports and _is_json(scope):
                model, report = self.reports[kind]
                raw = await _body(receive)
                if raw is not None and (given := _given(model, raw)) is not None:
                    await (await _answered(scope, report, ref, given))(scope, receive, send)
                    return
                receive = _again(raw, receive)
        await self.app(scope, receive, send)


async def _answered(scope: Scope, endpoint: Callable[..., Response], *given: Any) -> Response:
    try:
        return await anyio.to_thread.run_sync(endpoint, Request(scope), *given)
    except DomainError as refusal:
        return problem(refusal)
    except (DBAPIError, PoolTimeout) as error:
        away = database_problem(error)
        if away is None:
            raise
        return away


def _is_json(scope: Scope) -> bool:
    return any(
        name == b"content-type" and value.partition(b";")[0].strip().lower() == b"application/json" for name, value in scope["headers"]
    )


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when the caller went away."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _given(model: type[BaseModel], raw: bytes) -> BaseModel | None:
    try:
        return model.model_validate(orjson.loads(raw))
    except (ValidationError, ValueError):
        return None


def _again(raw: bytes | None, receive: Receive) -> Receive:
    """A receive that gives the body once more to whoever comes next."""
    told = [{"type": "http.disconnect"} if raw is None else {"type": "http.request", "body": raw, "more_body": False}]

    async def replay() -> Any:
        return told.pop() if told else await receive()

    return replay
