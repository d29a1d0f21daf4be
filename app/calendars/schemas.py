"""What comes in."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

YEARS = range(1949, 2110)
"""Years that can be imported; workdays are counted between 1890 and 2110."""
LONGEST = 20_000
"""Characters of a notice or a CSV."""
YearNumber = Annotated[int, Field(strict=True, ge=YEARS.start, le=YEARS.stop - 1)]


def _storable(value: str) -> str:
    """Text a database can hold: no NUL, no half characters."""
    if any(mark == "\x00" or "\ud800" <= mark <= "\udfff" for mark in value):
        raise ValueError("含有控制字符 / contains control characters")
    return value


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("应为一行文字 / must be one line")
    return value


Whole = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST), AfterValidator(_storable)]
Source = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
    AfterValidator(_storable),
    AfterValidator(_one_line),
]


class In(BaseModel):
    """What a caller sends: extra fields are refused, so a misspelt one is not silently dropped."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CalendarIn(In):
    """A year's notice: its own wording as `text`, or the days as `csv` (date,kind,name). `dry_run` shows what is understood."""

    year: YearNumber = Field(examples=[2026])
    text: Whole | None = Field(None, examples=["一、元旦：1月1日（周四）至3日（周六）放假调休，共3天。1月4日（周日）上班。……"])
    csv: Whole | None = Field(None, examples=["date,kind,name\n2026-01-01,holiday,元旦\n2026-01-04,workday,元旦\n"])
    source: Source | None = Field(None, examples=["国办发明电〔2025〕7号"])
    dry_run: bool = Field(False, strict=True)

    @model_validator(mode="after")
    def _one_of_both(self) -> CalendarIn:
        if (self.text is None) == (self.csv is None):
            raise ValueError("text（通知正文）和 csv 二者给出其一 / give either text or csv")
        return self


class CalendarQuery(In):
    year: Annotated[int, Field(ge=YEARS.start, le=YEARS.stop - 1)] | None = None
