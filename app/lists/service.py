"""Keeping filters and letting go of them, and laying one under a question."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

import sqlalchemy as sa
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from app.errors import Duplicate, Invalid, TooMany
from app.lists.listings import LISTINGS
from app.lists.models import SavedFilter
from app.lists.queries import filter_of
from app.lists.schemas import FilterIn
from app.offices.access import KEEP
from app.offices.desk import Work
from app.offices.models import Office
from app.offices.queries import scope
from app.projects.asking import ListIn

MOST = 200
"""Filters of one office."""
_NOT_KEPT = ("cursor", "filter")


def parsed(list_name: str, query: str) -> tuple[str, ListIn]:
    """(the query string written cleanly, the question it asks); Invalid when the list would refuse it."""
    try:
        pairs = parse_qsl(query.removeprefix("?"), keep_blank_values=True, strict_parsing=bool(query), max_num_fields=50, errors="strict")
    except ValueError as error:
        hint = "query 应为查询串，例如 stage=signed&level=red"
        raise Invalid(hint, errors=[{"field": "query", "message": "not a query string"}]) from error
    given = dict(pairs)
    if len(given) < len(pairs) or (named := [name for name in _NOT_KEPT if name in given]):
        what = "、".join(named) if len(given) == len(pairs) else "重复的参数"
        raise Invalid(f"筛选里不能有 {what}", errors=[{"field": "query", "message": "repeated, or not to be kept"}])
    return urlencode(pairs), _validated(LISTINGS[list_name].model, given, "query")


def _validated(model: type[ListIn], given: dict[str, Any], where: str) -> ListIn:
    try:
        found = model.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": (where, *one["loc"])} for one in error.errors()]) from error
    found.check()
    return found


def keep(work: Work, given: FilterIn) -> dict[str, Any]:
    """Keep a question for the caller's office. What the list would refuse today is refused now."""
    work.caller.must(KEEP)
    query, asked = parsed(given.list, given.query)
    scope(work.connection, work.caller, asked.office)
    office = work.caller.office_id
    # two at once must not both be the last that fits
    work.connection.execute(sa.select(Office.id).where(Office.id == office).with_for_update(key_share=True))
    mine = sa.select(sa.func.count()).where(SavedFilter.office_id == office)
    if (work.connection.scalar(mine) or 0) >= MOST:
        raise TooMany(f"一个单位最多保存 {MOST} 个筛选；请先删除不用的")
    if work.connection.scalar(mine.where(SavedFilter.list == given.list, SavedFilter.name == given.name)):
        raise Duplicate(f"本单位在该列表已有名为“{given.name}”的筛选；请换一个名称，或先删除原来的", field="name")
    row = {
        "office_id": office, "name": given.name, "list": given.list, "query": query, "role": work.caller.role,
        "person_id": work.caller.person_id, "created_at": work.now(),
    }  # fmt: skip
    number = work.connection.execute(sa.insert(SavedFilter).values(row).returning(SavedFilter.id)).scalar_one()
    return filter_of(work.connection, office, number)


def forget(work: Work, number: int) -> None:
    """Let go of a filter of the caller's office, whoever kept it."""
    work.caller.must(KEEP)
    filter_of(work.connection, work.caller.office_id, number)
    work.connection.execute(sa.delete(SavedFilter).where(SavedFilter.id == number))


def laid_under(work: Work, given: ListIn, list_name: str) -> ListIn:
    """The question with a saved filter laid under it: what was asked explicitly stays, the rest is the filter's."""
    if given.filter is None:
        return given
    kept = filter_of(work.connection, work.caller.office_id, given.filter)
    if kept["list"] != list_name:
        hint = f"筛选“{kept['name']}”属于列表 {kept['list']}；请用 {kept['url']}"
        raise Invalid(hint, errors=[{"field": "filter", "message": f"belongs to {kept['list']}"}])
    asked = given.model_dump(include=given.model_fields_set)
    return _validated(type(given), {**dict(parse_qsl(kept["query"], keep_blank_values=True)), **asked}, "filter")
