"""What a project is found by and sorted by: keys of its names, derived when it is recorded and never when it is read.

`search_key` is one text in which every way to type a name is a substring: the name, the investor and the ref as written,
their pinyin initials (锂电材料 → ldcl) and their full pinyin (lidiancailiao), with other readings of a character too
(长 chang, zhang). `name_key` puts names into Chinese order: digits, Latin, then characters by pinyin, tone and character.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from importlib.metadata import version
from itertools import combinations
from typing import Any, NamedTuple

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

WORDS, STRETCHES = 8_192, 2_048
"""Words, and stretches of Chinese characters, whose readings are kept in mind: some 10 MB."""


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
    names = [normalised(one) for one in ((name, investor) if investor else (name,))]
    parts = [*names, normalised(ref)]
    for marks in names:
        parts += _typed(marks)
    return {
        "search_key": _BREAK.join(dict.fromkeys(parts)),
        "name_key": _sorted(names[0]),
        "investor_key": _sorted(names[1]) if investor else "",
        "match_key": match_key(name),
    }


def sort_key(text: str) -> str:
    """A text whose order by bytes is Chinese order: digits, Latin letters, then characters by pinyin, tone, and character."""
    return _sorted(normalised(text))


@lru_cache(4096)
def _sorted(marks: str) -> str:
    read = list(zip(marks, _readings(marks), strict=True))[:MAX_SORTED]
    return "".join([mark if said.usual == mark else f"{_HAN}{said.usual}{mark}" for mark, said in read])


@lru_cache(4096)
def _typed(marks: str) -> tuple[str, ...]:
    """Initials and full pinyin of a text in its several readings; nothing for one without Chinese characters."""
    read = _readings(marks)
    if all(said.toneless[0] == mark for mark, said in zip(marks, read, strict=True)):
        return ()
    if len(marks) > MAX_VARIED:
        return "".join([said.initials[0] for said in read]), "".join([said.toneless[0] for said in read])
    return (*_ways([said.initials for said in read], INITIALS), *_ways([said.toneless for said in read], FULL))


def _ways(readings: Sequence[Sequence[str]], most: int) -> list[str]:
    """Ways to read a text: the usual one, then with the second reading of one character, of two, then with rarer readings."""
    usual = [one[0] for one in readings]
    found = {"".join(usual): None}
    for other in _others([len(one) for one in readings]):
        if len(found) == most:
            break
        way = usual.copy()
        for place, which in other:
            way[place] = readings[place][which]
        found["".join(way)] = None
    return list(found)


def _others(counts: Sequence[int]) -> Iterator[tuple[tuple[int, int], ...]]:
    """Which characters are read otherwise, and how: (place, number of the reading); the likelier ways first."""
    second = [place for place, count in enumerate(counts) if count > 1]
    for place in second:
        yield ((place, 1),)
    for one, other in combinations(second, 2):
        yield (one, 1), (other, 1)
    for which, place in sorted((nth, at) for at in second for nth in range(2, counts[at])):
        yield ((place, which),)


class _Said(NamedTuple):
    """How one character is read: the usual reading with its tone, all readings without, all initials; others stand for themselves."""

    usual: str
    toneless: tuple[str, ...]
    initials: tuple[str, ...]


@lru_cache(64)
def _readings(marks: str) -> list[_Said]:
    """How each character of a text is read, its usual reading in this text first."""
    return [_itself(mark) for mark in marks] if marks.isascii() else _pinyin()(marks)


@cache
def _pinyin() -> Callable[[str], list[_Said]]:
    """pypinyin, loaded when the first name is recorded: it takes 50 MB and a fifth of a second, and readers do without it.

    What it does to a text is done here in its own steps (stretches of characters, words, readings of a word), for each is always
    done alike and comes again in every other name; without that, names cost more than all the rest of recording a project.
    """
    from pypinyin import Style
    from pypinyin.constants import RE_HANS
    from pypinyin.converter import UltimateConverter
    from pypinyin.seg import mmseg

    stretches = re.compile(f"({RE_HANS.pattern.strip('^$')})")
    converter = UltimateConverter(v_to_u=False, neutral_tone_with_five=True)

    @lru_cache(WORDS)
    def word(text: str) -> tuple[list[_Said], bool]:
        read = converter.convert(text, style=Style.TONE3, heteronym=True, errors=list, strict=True)  # type: ignore[arg-type]
        return list(map(_said, text, read)), len(read) == len(text)

    @lru_cache(STRETCHES)
    def stretch(text: str) -> tuple[list[_Said], bool]:
        words = [word(one) for one in mmseg.seg.cut(text)]
        return [said for read, _ in words for said in read], all(whole for _, whole in words)

    def text(marks: str) -> list[_Said]:
        found: list[_Said] = []
        for place, part in enumerate(stretches.split(marks)):
            if place % 2:
                read, whole = stretch(part)
                if not whole:  # a reading for two characters at once: one by one then
                    return [word(mark)[0][0] for mark in marks]
                found += read
            else:
                found += map(_itself, part)
        return found

    return text


def _said(mark: str, read: list[str]) -> _Said:
    if len(read[0]) == 1 or read[0][0] == mark:
        return _itself(mark)
    toneless = tuple(dict.fromkeys(way.rstrip("12345") or way for way in read))
    return _Said(read[0], toneless, tuple(dict.fromkeys(way[:1] for way in toneless)))


@cache
def _itself(mark: str) -> _Said:
    return _Said(mark, (mark,), (mark,))


def fingerprint() -> str:
    """Changes whenever keys may come out otherwise, so that stored keys are made anew exactly then."""
    source = inspect.getsource(sys.modules[__name__]) + version("pypinyin")
    return hashlib.sha256(source.encode()).hexdigest()[:16]
