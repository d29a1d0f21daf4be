"""How a ledger comes over HTTP: as the body itself, or as the one file of a form, as browsers and `curl -F` send it.

What a form says beside the file counts like the query; said in both places it is refused, since nobody knows which was meant.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fastapi import Request
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from app.errors import Invalid
from app.ledgers.schemas import SendIn

FORM = "multipart/form-data"
MOST_FIELDS = 10
_BINARY = {"type": "string", "format": "binary"}
FILE: dict[str, Any] = {
    "required": True,
    "description": "the file itself (.xlsx, .xls, .ods or .csv, with any other Content-Type), or a form with one file",
    "content": {
        "application/octet-stream": {"schema": _BINARY},
        FORM: {
            "schema": {
                "type": "object", "required": ["file"],
                "properties": {"file": _BINARY, **SendIn.model_json_schema()["properties"]},
            }
        },
    },
}  # fmt: skip
"""The body as OpenAPI tells it."""


class Upload(NamedTuple):
    """A file as it came, and what was said along with it."""

    data: bytes
    fields: dict[str, str]
    file_name: str | None = None

    def said(self, given: SendIn) -> SendIn:
        """What the query and the form say together; without a name the file's own."""
        query = given.model_dump(exclude_unset=True)
        if twice := sorted(set(query) & set(self.fields)):
            raise _refused(f"{'、'.join(twice)} 在地址和表单中各说了一次 / said in the query and in the form", twice[0])
        told: dict[str, Any] = {**query, **self.fields}
        if self.file_name:
            told.setdefault("name", self.file_name)
        try:
            return SendIn.model_validate(told)
        except ValidationError as error:
            first = error.errors()[0]
            raise _refused(f"{first['loc'][0]}：{first['msg']}", str(first["loc"][0])) from error


async def upload_of(request: Request) -> Upload:
    """The file of a request; the gate has read the body whole and kept it small."""
    if not request.headers.get("content-type", "").strip().lower().startswith(FORM):
        return Upload(await request.body(), {})
    try:
        async with request.form(max_files=1, max_fields=MOST_FIELDS) as form:
            fields = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
            files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
            data = await files[0].read() if files else b""
    except HTTPException as error:
        raise _refused(f"不是有效的表单，每次一个文件 / not a form with one file: {error.detail}", "body") from error
    if not files:
        raise _refused("表单中没有文件；字段名不限，须带文件名 / no file in the form: curl -F file=@台账.xlsx", "file")
    if len(dict(fields)) != len(fields):
        raise _refused("表单中有重复的字段 / a field is given twice", "body")
    return Upload(data, dict(fields), _short(files[0].filename))


def _short(name: str | None) -> str | None:
    """A file's name without its folders, and without what a stored name may not hold."""
    plain = "".join(letter for letter in (name or "").replace("\\", "/").rpartition("/")[2] if letter.isprintable()).strip()
    return plain[-200:] or None


def _refused(message: str, field: str) -> Invalid:
    return Invalid(message, errors=[{"field": field, "message": message, "type": "form_invalid"}])
