"""What a body may be. JSON: one value of bounded depth and size, every name said once, numbers that are finite. A form: a few
short fields, each said once."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

import orjson

from app.errors import Invalid, TooLarge

DEEPEST, MOST_VALUES = 32, 50_000
LONGEST_FORM, MOST_FIELDS = 16_384, 20
_TEXTS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?')


def read_json(raw: bytes) -> Any:
    """The value of a JSON text, or Invalid. NaN, infinities and lone surrogates are no JSON; a name said twice is refused,
    because two readers would take different ones for what was meant."""
    try:
        given = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _refused(f"不是有效的 JSON / not JSON: {error}", "json_invalid") from error
    names = _names(given)
    if names != sum(1 for found in _TEXTS.finditer(raw) if found.group(1)):
        raise _refused("同一对象中有重复的字段名 / a name is given twice", "json_duplicate")
    return given


def read_form(raw: bytes) -> dict[str, str]:
    """The fields of a form as browsers send it, or Invalid. A field said twice is refused."""
    if len(raw) > LONGEST_FORM:
        raise TooLarge(f"表单内容不超过 {LONGEST_FORM} 字节")
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise _refused("不是有效的表单 / not a form in UTF-8", "form_invalid") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _refused("中有重复的字段 / a field is given twice", "form_duplicate")
    return fields


def _names(given: Any) -> int:
    """How many names of fields there are; Invalid when it is too deep or has too many values."""
    names = values = depth = 0
    level = [given]
    while level:
        depth += 1
        if depth > DEEPEST:
            raise _refused(f"嵌套超过 {DEEPEST} 层 / nested too deeply", "json_too_deep")
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                names += len(one)
                values += len(one)
                below += [inner for inner in one.values() if isinstance(inner, dict | list)]
            elif isinstance(one, list):
                values += len(one)
                below += [inner for inner in one if isinstance(inner, dict | list)]
        if values > MOST_VALUES:
            raise _refused(f"超过 {MOST_VALUES} 个值 / too many values", "json_too_long")
        level = below
    return names


def _refused(message: str, kind: str) -> Invalid:
    return Invalid(f"请求内容{message}", errors=[{"field": "body", "message": message, "type": kind}])
