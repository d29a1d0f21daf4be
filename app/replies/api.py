"""Uses of the links in digests, over REST: who opened, who answered, and what was refused."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.offices.desk import Work, reading
from app.projects.api import PROBLEMS
from app.replies import queries
from app.replies.answers import ReplyUsesOut
from app.replies.schemas import UseList

router = APIRouter(prefix="/api/v1", tags=["daily"], responses=PROBLEMS)


@router.get("/reply-uses", responses={200: {"model": ReplyUsesOut}})
def list_reply_uses(request: Request, given: Annotated[UseList, Query()]) -> Response:
    """Every use of a link that was sent to your people, newest first: opened, answered (with its fact), repeated, refused and why."""

    def view(work: Work) -> Any:
        name = f"reply-uses {given.model_dump_json(include={'what', 'person', 'project', 'date'})}"
        before = int(work.house.cursors.unpack(given.cursor, name)) if given.cursor else None
        asked = queries.Asked(work.caller.scope, given.what, given.person, given.project, given.date)
        found = queries.uses(work.connection, asked, limit=given.limit + 1, before=before)
        rows, more = found[: given.limit], len(found) > given.limit
        page = {"items": rows, "next_cursor": work.house.cursors.pack(rows[-1]["id"], name) if more else None}
        return {**page, "total": queries.total(work.connection, asked)} if given.count else page

    return reading(request, view)
