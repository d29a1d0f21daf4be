"""What holds for any cells at all: nothing is dropped, no row is read twice, portions make no difference."""

from itertools import chain
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.ledgers.columns import BY_FIELD, COLUMNS, NAMES
from app.ledgers.sheets.refusals import FileRefused
from app.ledgers.understanding.marks import CODES, problem
from app.ledgers.understanding.reading import Ledger
from tests.ledgers.workbooks import Page, understand

WORDS = st.sampled_from(
    [
        "项目名称",
        "镇区",
        "投资方",
        "总投资（万元）",
        "签约时间",
        "序号",
        "目前进展",
        "合计",
        "小计",
        "甲镇合计",
        "无签约项目",
        "城关镇",
        "甲项目",
        "乙项目",
        "备注：好",
        "一、城关镇",
        "单位：万元",
        "2026年3月",
        "正在对接",
        "36个",
        "年",
        "月",
        "日",
    ]
)
CELLS = st.just("") | WORDS | st.integers(-5, 50_000) | st.floats(0, 1e6) | st.text(max_size=8) | st.booleans()
GRIDS = st.integers(1, 7).flatmap(lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=25))
HEAD = ["序号", "镇区", "项目名称", "投资方", "签约时间", "总投资（万元）", "目前进展"]
UNDER = st.lists(st.lists(CELLS, min_size=7, max_size=7), min_size=1, max_size=25)


@st.composite
def merges(draw: Any, height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Some ranges that do not touch each other."""
    taken: set[tuple[int, int]] = set()
    found = []
    for _ in range(draw(st.integers(0, 4))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        bottom, right = draw(st.integers(top, min(top + 4, height - 1))), draw(st.integers(left, min(left + 3, width - 1)))
        cells = {(row, column) for row in range(top, bottom + 1) for column in range(left, right + 1)}
        if len(cells) > 1 and not cells & taken:
            taken |= cells
            found.append((top, left, bottom, right))
    return found


def try_it(page: Page, **more: Any) -> Ledger | None:
    try:
        return understand(page, **more)
    except FileRefused as refused:
        assert refused.reason in ("no_table", "no_cells")
        return None


def said(ledger: Ledger) -> Any:
    """Everything, in a form that can be compared."""
    rows = [(row.number, str(row.raw), str(row.values), *row[4:]) for row in ledger.rows]
    tables = [(table.header_rows, table.columns, table.ignored, str(table.totals), table.accepted, table.unit) for table in ledger.tables]
    return tables, rows


@settings(max_examples=150)
@given(st.data())
def test_nothing_is_dropped_and_portions_make_no_difference(data: Any) -> None:
    rows = data.draw(GRIDS) if data.draw(st.booleans()) else [list(HEAD), *data.draw(UNDER)]
    page = Page(rows, merges=data.draw(merges(len(rows), len(rows[0]))))
    covered = {
        (row, column) for top, left, bottom, right in page.merges for row in range(top, bottom + 1) for column in range(left, right + 1)
    }
    covered -= {(top, left) for top, left, _, _ in page.merges}
    for row, column in covered:  # only the first cell of a merged range holds anything
        rows[row][column] = ""
    ledger = try_it(page)
    if ledger is None:
        return
    for table in ledger.tables:
        seen = [row.number for row in ledger.rows if row.table is table]
        told = [one.row for one in table.ignored]
        assert len(set(seen)) == len(seen) and not set(seen) & set(told)
        left, right = min(map(_column, table.columns.values())), max(map(_column, table.columns.values()))
        later = [other.header_rows[0] for other in ledger.tables if other.header_rows[0] > table.header_rows[-1]]
        end = min(later, default=len(rows) + 1)
        lost = [
            number
            for number in range(table.header_rows[-1] + 1, end)
            if number not in seen and number not in told and any(_says(cell) for cell in rows[number - 1][left : right + 1])
        ]
        assert [number for number in lost if not _only_numbered(table.columns, rows[number - 1], left, right)] == _captions(ledger, lost)
        assert (table.accepted, table.rejected) == (
            sum(row.rejected is None for row in ledger.rows if row.table is table),
            sum(row.rejected is not None for row in ledger.rows if row.table is table),
        )
    for portion in (1, 3):
        again = try_it(page, portion=portion)
        assert again is not None and said(again) == said(ledger)
    assert all(one.reason and one.reason_en for one in ledger.problems(notes=True))


def _column(letters: str) -> int:
    return ord(letters) - 65


def _says(cell: Any) -> bool:
    return not isinstance(cell, str) or bool(cell.strip())


def _only_numbered(columns: dict[str, str], cells: list[Any], left: int, right: int) -> bool:
    """A prepared line: nothing but its number or its town, which is a blank one."""
    quiet = {_column(columns[name]) for name in ("seq", "town") if name in columns}
    return not any(_says(cell) for place, cell in enumerate(cells) if place not in quiet and left <= place <= right)


def _captions(ledger: Ledger, lost: list[int]) -> list[int]:
    """Rows told as captions of a later table."""
    captions = set(chain.from_iterable([one.row for one in table.ignored if one.kind == "caption"] for table in ledger.tables))
    return [number for number in lost if number in captions]


def test_the_columns_are_the_thirty_five_of_the_ledger() -> None:
    titles = (
        "序号|项目编号|镇区|项目名称|投资方|产业类别|协议类型|是否新供地|签约时间|协议总投资|固定资产投资|到位资金|用地面积|租赁面积|注册公司|统一社会信用代码|"
        "注册时间|项目代码|备案时间|供地/厂房落实时间|实质性开工时间|计划竣工时间|投产时间|当前阶段|亮灯|目前进展|存在问题|下步计划|责任单位|责任领导|责任人|"
        "包联领导|引荐单位|最近更新|备注"
    )
    assert [column.title for column in COLUMNS] == titles.split("|")
    assert len(BY_FIELD) == len({column.field for column in BY_FIELD.values()})
    for column in BY_FIELD.values():
        for alias in (column.title, *column.aliases):
            assert NAMES.field_of(alias) == column.field, alias
            assert NAMES.field_of(f" {' '.join(alias)}\n（万元）") == column.field


def test_every_remark_has_its_sentences() -> None:
    for name, code in CODES.items():
        assert code.zh and code.en and bool(code.do) == bool(code.do_en), name
        assert code.level == "note" or code.do, name
    from app.ledgers.understanding.marks import Mark

    told = problem("台账", 5, Mark("exact_duplicate", None, None, None, ("台账", 2)))
    assert told.reason.endswith("（第 2 行）") and told.row == 5
