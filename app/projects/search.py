"""What a project is found by and sorted by: keys of its names, derived when it is recorded and never when it is read.

`search_key` is one text in which every way to type a name is a substring: the name, the investor and the ref as written,
their pinyin initials (锂电材料 → ldcl) and their full pinyin (lidiancailiao), with other readings of a character too
(长 chang, zhang). `name_key` puts names into Chinese order: digits, Latin, then characters by pinyin, tone and character.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from importlib.metadata import version
from itertools import combinations
from typing import Any

import sqlalchemy as sa

from app.heart.standing import normalised as letters

KEYS = ("search_key", "name_key", "investor_key", "match_key")
MAX_SORTED = 30
"""Characters of a name that its place in a list depends on; names alike so far stay in the order they were registered in."""
MAX_VARIED = 60
"""A name longer than this is found by the usual reading of its characters only."""
INITIALS, FULL = 12, 4
"""How many readings of one name are kept: initials cost little, full pinyin more."""
_BREAK = "\n"
_HAN = "~"
"""Comes after every digit and Latin letter, so that characters do."""

Readings = Sequence[Sequence[str]]


def normalised(text: str) -> str:
    """A text as it is looked for: one width, one case, no blanks; ü as pinyin is typed (lv)."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split()).replace("ü", "v")


def match_key(name: str) -> int:
    """A name as a number, the same for names that differ in width, case, blanks or punctuation only: to look one up by.
    Two different names may have one number; whoever looks compares the names."""
    return int.from_bytes(hashlib.blake2b(alike(name).encode("utf-8", "replace"), digest_size=8).digest(), "big", signed=True)


def alike(name: str) -> str:
    """A name without what two copyists write differently; a name of nothing but punctuation stays itself."""
    return letters(name) or name


def keys_of(ref: str, name: str, investor: str | None) -> dict[str, Any]:
    """The stored keys of a project."""
    names = [name, investor] if investor else [name]
    parts = [normalised(one) for one in (*names, ref)]
    for one in names:
        parts += _typed(one)
    return {
        "search_key": _BREAK.join(dict.fromkeys(parts)),
        "name_key": sort_key(name),
        "investor_key": sort_key(investor) if investor else "",
        "match_key": match_key(name),
    }


@lru_cache(4096)
def sort_key(text: str) -> str:
    """A text whose order by bytes is Chinese order: digits, Latin letters, then characters by pinyin, tone, and character."""
    marks = normalised(text)
    read = list(zip(marks, _readings(marks), strict=True))[:MAX_SORTED]
    return "".join(mark if said[0] == mark else f"{_HAN}{said[0]}{mark}" for mark, said in read)


@lru_cache(4096)
def _typed(text: str) -> tuple[str, ...]:
    """Initials and full pinyin of a text in its several readings; nothing for one without Chinese characters."""
    marks = normalised(text)
    toneless = [list(dict.fromkeys(one.rstrip("12345") or one for one in read)) for read in _readings(marks)]
    if all(read[0] == mark for mark, read in zip(marks, toneless, strict=True)):
        return ()
    if len(marks) > MAX_VARIED:
        toneless = [read[:1] for read in toneless]
    first = [list(dict.fromkeys(one[:1] for one in read)) for read in toneless]
    return (*_ways(first, INITIALS), *_ways(toneless, FULL))


def _ways(readings: Readings, most: int) -> list[str]:
    """Ways to read a text: the usual one, then with the second reading of one character, of two, then with rarer readings."""

    def read(**other: int) -> str:
        return "".join(one[other.get(str(place), 0)] for place, one in enumerate(readings))

    def ways() -> Iterator[str]:
        yield read()
        second = [place for place, one in enumerate(readings) if len(one) > 1]
        for place in second:
            yield read(**{str(place): 1})
        for place, later in combinations(second, 2):
            yield read(**{str(place): 1, str(later): 1})
        rarer = [(depth, place) for place in second for depth in range(2, len(readings[place]))]
        for depth, place in sorted(rarer):
            yield read(**{str(place): depth})

    found: dict[str, None] = {}
    for way in ways():
        if len(found) == most:
            break
        found[way] = None
    return list(found)


@cache
def _pinyin() -> Callable[[str], list[list[str]]]:
    """pypinyin, loaded when the first name is recorded: it takes 50 MB and a fifth of a second, and readers do without it."""
    from pypinyin import Style, pinyin

    def read(text: str) -> list[list[str]]:
        found: list[list[str]] = pinyin(
            text,
            style=Style.TONE3,
            heteronym=True,
            errors=lambda other: list(other),  # type: ignore[arg-type,return-value]
            neutral_tone_with_five=True,
            v_to_u=False,
        )
        return found

    return read


@lru_cache(4096)
def _readings(marks: str) -> Readings:
    """For each character all its readings with tone ("li3"), the usual one for this text first; others stand for themselves."""
    if marks.isascii():
        return [[mark] for mark in marks]
    found = _pinyin()(marks)
    if len(found) != len(marks):  # a reading for two characters at once: one by one then
        found = [_pinyin()(mark)[0] for mark in marks]
    return [read if len(read[0]) > 1 and read[0][0] != mark else [mark] for mark, read in zip(marks, found, strict=True)]


def fingerprint() -> str:
    """Changes whenever keys may come out otherwise, so that stored keys are made anew exactly then."""
    source = inspect.getsource(sys.modules[__name__]) + version("pypinyin")
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def sought(q: str, sqlite: bool) -> str:
    """What was typed as `holds` looks for it; `%` and `_` are themselves."""
    wanted = normalised(q)
    return wanted if sqlite else "%" + wanted.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"


def holds(key: Any, wanted: Any, sqlite: bool) -> sa.ColumnElement[bool]:
    """Is what is sought part of this search key? Nothing is part of everything."""
    found: sa.ColumnElement[bool] = sa.func.instr(key, wanted) > 0 if sqlite else key.like(wanted, escape="!")
    return found


def matches(key: Any, q: str, sqlite: bool) -> sa.ColumnElement[bool]:
    """Is what was typed part of this search key?"""
    return holds(key, sa.literal(sought(q, sqlite)), sqlite)
