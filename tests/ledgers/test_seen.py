"""Which row of a file told of the same project before: as comparing with every row would say it, at the price of a few look-ups."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from app.ledgers.matching import Keys
from app.ledgers.seen import Seen
from app.ledgers.understanding.duplicates import Names
from app.ledgers.understanding.firsts import Firsts
from app.ledgers.understanding.marks import Mark

Told = tuple[Keys, str]


def row(number: int, sheet: str = "台账", *marks: Mark) -> Any:
    return SimpleNamespace(marks=marks, table=SimpleNamespace(sheet=sheet), number=number)


class Naive:
    """Every row before, in their order: the same name in one town, the same number, the same code, asked in this order."""

    def __init__(self) -> None:
        self.rows: list[Told] = []

    def earlier(self, keys: Keys, office: str) -> int | None:
        def two(one: str | None, other: str | None) -> bool:
            return one is not None and other is not None and one != other

        asked = (
            lambda other, at: other.name == keys.name and at == office and not two(other.ref, keys.ref) and not two(other.code, keys.code),
            lambda other, at: keys.ref is not None and other.ref == keys.ref,
            lambda other, at: keys.code is not None and other.code == keys.code and not two(other.ref, keys.ref),
        )
        for alike in asked:
            for place, told in enumerate(self.rows):
                if told and alike(*told):
                    return place
        return None


def told(chance: random.Random) -> Told:
    ref, code = chance.choice((None, "A", "B", "C", "D")), chance.choice((None, "1", "2", "3", "4"))
    return Keys(ref, code, None, chance.choice(("甲", "乙", "丙"))), chance.choice(("T1", "T2"))


@pytest.mark.parametrize("seed", range(40))
def test_as_comparing_with_every_row(seed: int) -> None:
    """Some chunks are undone and come again, as after a deadlock."""
    chance, seen, naive = random.Random(seed), Seen(), Naive()
    number: list[int] = []  # of the rows that are remembered
    for chunk in range(12):
        some = [told(chance) for _ in range(chance.randrange(1, 6))]
        for undone in chance.choice(((False,), (True, False))):
            seen.begin()
            kept = len(naive.rows)
            for at, (keys, office) in enumerate(some):
                place = naive.earlier(keys, office)
                sheet, mine = f"表{chunk % 3}", chunk * 10 + at
                expected = None if place is None else (f"表{number[place] // 10 % 3}", number[place])
                assert seen.earlier(row(mine, sheet), keys, office) == expected, (seed, keys, naive.rows)
                if place is None:
                    naive.rows.append((keys, office))
                    number.append(mine)
            seen.meet(chunk, ("表", chunk))
            if undone:
                seen.undo()
                del naive.rows[kept:], number[kept:]
                assert chunk not in seen and seen.told_of(chunk) is None
    assert 3 in seen and seen.told_of(3) == ("表", 3)


def test_the_same_cells_are_the_same_whatever_they_tell() -> None:
    seen = Seen()
    mark = Mark("exact_duplicate", None, None, None, ("台账", 4))
    assert seen.earlier(row(9, "台账", mark), Keys("A", None, None, "甲"), "T1") == ("台账", 4)
    assert seen.earlier(row(10), Keys("A", None, None, "甲"), "T1") is None, "what repeats another row is not remembered itself"


class Counting(Firsts):
    looks = 0

    def get(self, key: int) -> int | None:
        self.looks += 1
        return super().get(key)

    def number(self, key: int) -> int:
        self.looks += 1
        return super().number(key)


@pytest.mark.parametrize("code", [None, "2510-990000-04-01-100037"])
def test_a_row_costs_the_same_however_many_share_its_name(code: str | None) -> None:
    seen = Seen()
    seen._first = counting = Counting()
    for number in range(3_000):
        assert seen.earlier(row(number), Keys(f"P-{number}", code, None, "产业园标准厂房"), "T1") is None
    assert counting.looks < 30 * 3_000 and len(counting) < 8 * 3_000


def held(work: Callable[[], Any]) -> int:
    """Bytes that what is made by some work holds."""
    tracemalloc.start()
    try:
        made = work()
        count = tracemalloc.get_traced_memory()[0]
        assert made is not None
        return count
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("rows", [11_000, 22_000])
@pytest.mark.parametrize(("keys", "most"), [(lambda n: (None, None), 80), (lambda n: (f"P-{n}", f"2510-99-{n}"), 130)])
def test_a_row_that_was_taken_takes_few_bytes(rows: int, keys: Any, most: int) -> None:
    """With a project that it told of. (Right after a table has grown is when a row takes most.)"""

    def take() -> Seen:
        seen = Seen()
        for number in range(rows):
            if number % 500 == 0:
                seen.begin()
            assert seen.earlier(row(number), Keys(*keys(number), None, f"项目{number}"), "T1") is None
            seen.meet(10**6 + number, ("台账", number))
        return seen

    assert held(take) < most * rows


@pytest.mark.parametrize("different", [True, False])
def test_a_name_that_was_read_takes_few_bytes(different: bool) -> None:
    """Whether every name is another, or all are one and the other cells differ."""
    table: Any = SimpleNamespace(sheet="台账", columns={"project_name": "B"})

    def look() -> Names:
        names = Names()
        for begin in range(0, 22_000, 1_000):
            rows = range(begin, begin + 1_000)
            cells = [f"项目{number}" if different else "项目" for number in rows]
            marks: dict[int, list[Mark]] = {}
            names.look(table, rows, cells, {"project_name": tuple(cells), "amount": tuple(rows)}, marks)
            assert len(marks) == (0 if different else 1_000 - (begin == 0))
            assert all(mark.code == "possible_duplicate" for some in marks.values() for mark in some)
        return names

    assert held(look) < 45 * 22_000


def test_what_came_first_keeps_its_number() -> None:
    """Keys that share a slot, 0 and negative ones among them; and what is forgotten may come again with another number."""
    firsts = Firsts()
    keys = [0, -1, 1 << 40, 2 << 40, 3 << 40, -(1 << 63), *(hash(str(number)) for number in range(5_000))]
    assert [firsts.number(key) for key in keys] == list(range(len(keys))) == [firsts.number(key) for key in keys]
    firsts.forget(3)
    assert [firsts.get(key) for key in keys[:5]] == [0, 1, 2, None, None] and len(firsts) == 3
    assert [firsts.number(keys[4]), firsts.number(keys[3])] == [3, 4]
