"""The short way for what towns do all day: read one project, report one fact. Same endpoints, without the framework's detour.

Routing, parameters and dependencies of the framework cost more than the work itself. Only the plain case goes this way; a
query, an odd body or anything unknown takes the ordinary road, so every answer is the one the documented endpoint gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio.to_thread
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from app.errors import DomainError
from app.http import GIVEN, ROUTE, Receive, Scope, Send, database_problem, problem

Read = Callable[[Request, str], Response]
Report = tuple[type[BaseModel], Callable[[Request, str, Any], Response]]


class Lane:
    """ASGI: answers `GET {prefix}{ref}` and `POST {prefix}{ref}/{kind of report}`, and lets the rest pass."""

    def __init__(self, app: Any, prefix: str, read: Read, reports: Mapping[str, Report]) -> None:
        self.app, self.prefix, self.read, self.reports = app, prefix, read, reports
        self._one = prefix + "{ref}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(self.prefix) and not scope["query_string"]:
            ref, slash, kind = scope["path"][len(self.prefix) :].partition("/")
            if ref and not slash and scope["method"] == "GET":
                scope[ROUTE] = self._one
                await (await _answered(scope, self.read, ref))(scope, receive, send)
                return
            if ref and scope["method"] == "POST" and kind in self.reports and GIVEN in scope:
                model, report = self.reports[kind]
                if (given := _given(model, scope[GIVEN])) is not None:
                    scope[ROUTE] = f"{self._one}/{kind}"
                    await (await _answered(scope, report, ref, given))(scope, receive, send)
                    return
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


def _given(model: type[BaseModel], given: Any) -> BaseModel | None:
    try:
        return model.model_validate(given)
    except ValidationError:
        return None
