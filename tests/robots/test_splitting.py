"""A message in parts: within the limit, whole lines where possible, nothing lost, no character torn."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.robots.splitting import Row, numbered, split

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=120)
ROWS = st.lists(st.builds(Row, TEXT, st.sampled_from(["", "https://x.cn/p/1"])), max_size=25)


def weigh(row: Row) -> int:
    return len(row.text.encode()) + len(row.url) + 1


@given(ROWS, st.integers(24, 400))
def test_every_part_fits_and_nothing_is_lost(rows: list[Row], limit: int) -> None:
    parts = split(rows, limit, weigh)
    assert all(part and sum(map(weigh, part)) <= limit for part in parts)
    pieces = [row for part in parts for row in part]
    for row in rows:  # pieces of one row stand together, and make the row again
        first = pieces.pop(0)
        assert first.url == row.url
        assert first == row or weigh(row) > limit, "a line that fits was cut"
        told = first.text
        while told != row.text:
            piece = pieces.pop(0)
            assert piece.url == row.url and piece.text
            told += piece.text
    assert pieces == []


@given(ROWS, st.integers(24, 400))
def test_no_two_neighbours_would_have_fitted_into_one(rows: list[Row], limit: int) -> None:
    parts = split(rows, limit, weigh)
    for one, other in pairwise(parts):
        assert sum(map(weigh, one)) + weigh(other[0]) > limit


def test_by_hand() -> None:
    rows = [Row("一二三"), Row("四五"), Row("六" * 7)]  # 10, 7 and 22 bytes
    assert split(rows, 17, weigh) == [(Row("一二三"), Row("四五")), (Row("六" * 5),), (Row("六" * 2),)]
    assert split([], 17, weigh) == []


def test_a_limit_below_one_character_is_told() -> None:
    with pytest.raises(ValueError):
        split([Row("长")], 3, weigh)


def test_numbers() -> None:
    assert numbered("摘要", 1, 1) == "摘要" and numbered("摘要", 1, 3) == "摘要（1/3）"
