"""Amounts and areas in every writing of real ledgers, and whatever else comes."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ledgers.understanding.amounts import PLACEHOLDERS, Amount, read_amount
from app.ledgers.understanding.areas import read_area
from app.ledgers.understanding.numerals import number
from app.ledgers.understanding.units import Unit, unit_of

WAN, YI, DOLLARS = (unit_of(text) for text in ("万元", "亿元", "万美元"))
assert WAN and YI and DOLLARS

YUAN = [
    ("3.1个亿", 310_000_000, ""),
    ("1个亿", 100_000_000, ""),
    ("2900万", 29_000_000, ""),
    ("1亿2千万元", 120_000_000, ""),
    ("1亿8千万元", 180_000_000, ""),
    ("2亿3500万元", 235_000_000, ""),
    ("一亿二千万元", 120_000_000, ""),
    ("叁亿元", 300_000_000, ""),
    ("两亿五千万", 250_000_000, ""),
    ("5千万", 50_000_000, ""),
    ("800百万", 800_000_000, ""),
    ("十亿", 1_000_000_000, ""),
    ("一千二百万", 12_000_000, ""),
    ("１２０００", 120_000_000, ""),
    ("12,000", 120_000_000, ""),
    ("12,000万元", 120_000_000, ""),
    ("50 亿元", 5_000_000_000, ""),
    ("2 亿 元", 200_000_000, ""),
    ("２．８亿元", 280_000_000, ""),
    ("12000元", 12_000, ""),
    ("0", 0, ""),
    ("0元", 0, ""),
    ("1.2亿元人民币", 120_000_000, ""),
    ("人民币1.2亿元", 120_000_000, ""),
    ("10亿（人民币）", 1_000_000_000, ""),
    ("总投资5亿元", 500_000_000, ""),
    ("5亿元（含设备）", 500_000_000, ""),
    ("三千", 30_000_000, ""),
    ("8000", 80_000_000, ""),
    ("近2亿元", 200_000_000, "amount_approximate"),
    ("约1.5亿元", 150_000_000, "amount_approximate"),
    ("超10亿元", 1_000_000_000, "amount_approximate"),
    ("不低于5000万元", 50_000_000, "amount_approximate"),
    ("8000余万元", 80_000_000, "amount_approximate"),
    ("16亿多元", 1_600_000_000, "amount_approximate"),
    ("2亿元以上", 200_000_000, "amount_approximate"),
    ("1.5亿左右", 150_000_000, "amount_approximate"),
    ("3亿元/年度2.92亿元", 300_000_000, "amount_two_values"),
    ("2.6亿元/2.6亿元", 260_000_000, "amount_two_values"),
    ("10亿元（一期3亿元）", 1_000_000_000, "amount_two_values"),
    ("5亿元，其中固定资产3亿元", 500_000_000, "amount_two_values"),
    ("5000万元（800万美元）", 50_000_000, "amount_two_currencies"),
    ("3亿元人民币/4000万美元", 300_000_000, "amount_two_currencies"),
    ("35000000", 350_000_000_000, "amount_implausible"),
    ("3000w", 30_000_000, "amount_letter"),
    ("3000①", 30_000_000, ""),
    ("8²", 80_000, ""),
    ("￥3000", 30_000_000, ""),
    ("RMB 3000", 30_000_000, ""),
    ("3000（人民币）", 30_000_000, ""),
    ("1亿500元", 100_000_500, ""),
    ("总投资5亿元,一期3亿元", 500_000_000, "amount_two_values"),
    ("总投资5亿元，一期3亿元，二期2亿元", 500_000_000, "amount_two_values"),
    ("5000万（一期3000万，二期2000万）", 50_000_000, "amount_two_values"),
    ("3亿元（含设备1亿元）", 300_000_000, "amount_two_values"),
    ("1000万美元，折合人民币7000万元", 70_000_000, "amount_two_currencies"),
]


@pytest.mark.parametrize(("text", "yuan", "mark"), YUAN)
def test_an_amount_in_yuan(text: str, yuan: int, mark: str) -> None:
    found = read_amount(text, WAN)
    assert (found.yuan, found.minor, found.marks) == (yuan, yuan * 100, (mark,) if mark else ())
    assert found.raw == text and found.missing is None


FOREIGN = [
    ("9000万美元", "USD", 90_000_000),
    ("0.5亿美元", "USD", 50_000_000),
    ("2亿港元", "HKD", 200_000_000),
    ("$5000万", "USD", 50_000_000),
    ("USD 90 million", "USD", 90_000_000),
    ("500万欧元", "EUR", 5_000_000),
    ("10亿日元", "JPY", 1_000_000_000),
    ("9000万美金", "USD", 90_000_000),
]


@pytest.mark.parametrize(("text", "currency", "whole"), FOREIGN)
def test_foreign_money_stays_its_own(text: str, currency: str, whole: int) -> None:
    found = read_amount(text, WAN)
    assert (found.yuan, found.currency, found.foreign, found.marks) == (None, currency, whole, ("amount_foreign_currency",))


def test_the_unit_in_the_cell_wins() -> None:
    assert read_amount("5亿元", DOLLARS).yuan == 500_000_000
    assert read_amount(50, DOLLARS).foreign == 500_000
    assert read_amount("500", YI).yuan == 50_000_000_000


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("1.8亿-2亿元", (1.8, 2)),
        ("5000-8000万元", (0.5, 0.8)),
        ("5000万至8000万元", (0.5, 0.8)),
        ("约 3 亿 - 5 亿元", (3, 5)),
        ("1—2亿", (1, 2)),
    ],
)
def test_a_range_has_two_ends_and_no_amount(text: str, ends: tuple[float, float]) -> None:
    found = read_amount(text, WAN)
    assert (found.minor, found.missing, found.marks) == (None, "range", ("amount_range",))
    assert (found.low, found.high) == tuple(int(end * 10**10) for end in ends)


@pytest.mark.parametrize(
    ("text", "by", "shared"), [("3个共2亿元", 3, 2), ("等4个3.15亿", 4, 3.15), ("等3个项目共2.1亿元", 3, 2.1), ("三个共2亿元", 3, 2)]
)
def test_an_amount_of_several_projects_is_not_split(text: str, by: int, shared: float) -> None:
    found = read_amount(text, WAN)
    assert (found.minor, found.missing, found.shared_by, found.shared) == (None, "shared_total", by, round(shared * 10**10))


NOT_AMOUNTS = [
    "2个茶场",
    "3家企业",
    "1亿2",
    "12,00",
    "50%",
    "1e5",
    "=1+1",
    "1.2.3",
    "..",
    "亿",
    "元",
    "万",
    "∞",
    "一期2亿，二期3亿",
    "3亿+2亿",
    "年度2亿",
    "1亿元/",
    "500万/亩",
    "3元5",
    "abc",
    "签约",
    "8-5亿",
    "Infinity",
    "nan",
    "1.2万亿",
    "3亿2千",
    "两亿五千",
    "3亿5000",
    "3/5亿",
    "3000m",
    "3000k",
    "3kw",
    "一期3亿元",
    "5亿元（一期3亿元，二期3亿元）",
    "3亿元（与二期项目合计）",
    "3亿元增至5亿元",
]


@pytest.mark.parametrize("text", [*NOT_AMOUNTS, True, False, float("inf"), float("nan"), "9" * 60, "1" * 5_000, 10**30])
def test_what_is_no_amount_is_rejected_and_never_guessed(text: object) -> None:
    assert read_amount(text, WAN).missing == "not_a_number"  # type: ignore[arg-type]


def test_zero_empty_and_placeholder_are_three_things() -> None:
    assert [(read_amount(cell, WAN).minor, read_amount(cell, WAN).missing) for cell in (0, "", " \n", "无", "/", "待定", "—")] == [
        (0, None),
        (None, "empty"),
        (None, "empty"),
        *[(None, "placeholder")] * 4,
    ]
    assert {read_amount(text, WAN).missing for text in PLACEHOLDERS} == {"placeholder"}


@pytest.mark.parametrize("cell", [-5, -0.5, "-500", "（500）", "-3亿元", "−2"])
def test_a_negative_amount_is_not_taken(cell: object) -> None:
    found = read_amount(cell, WAN)  # type: ignore[arg-type]
    assert (found.minor, found.missing, found.marks) == (None, "negative", ("amount_negative",))


@pytest.mark.parametrize("cell", [5, 5.5, "5", "100-200", "100/200", "约5", "0.5"])
def test_without_a_unit_nothing_is_interpreted(cell: object) -> None:
    found = read_amount(cell, None)  # type: ignore[arg-type]
    assert (found.minor, found.low, found.missing, found.marks) == (None, None, "unit_unknown", ("unit_missing",))


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("万元", (10**4, "CNY")),
        ("亿元", (10**8, "CNY")),
        ("元", (1, "CNY")),
        ("万美元", (10**4, "USD")),
        ("人民币万元", (10**4, "CNY")),
        ("亿元人民币", (10**8, "CNY")),
        ("百万元", (10**6, "CNY")),
        ("千元", (1000, "CNY")),
        ("亿", (10**8, "CNY")),
        ("港元", (1, "HKD")),
        ("个", None),
        ("亩", None),
        ("千", None),
        ("", None),
        ("元/亩", None),
    ],
)
def test_units(text: str, unit: tuple[int, str] | None) -> None:
    found = unit_of(text)
    assert (found[:2] if found else None) == unit


# --- properties ----------------------------------------------------------------------------------------------------

YUANS = st.integers(0, 9 * 10**10)


@given(YUANS)
def test_every_way_to_write_an_amount_comes_back(yuan: int) -> None:
    big, rest = divmod(yuan, 10**8)
    small, ones = divmod(rest, 10**4)
    plain = Decimal(yuan)
    writings = [
        f"{yuan}元",
        f"{yuan:,}元",
        f"{plain / 10**4:f}万元",
        f"{plain / 10**8:f}亿元",
        f"{plain / 10**8:f}个亿",
        f"{plain / 10**4:f}",
    ]
    if not ones and big and small >= 1000:
        writings += [f"{big}亿{small}万元", f"{big}亿{small}万"]
        if small % 1000 == 0:
            writings.append(f"{big}亿{small // 1000}千万元")
    for text in writings:
        for cell in (text, f"约{text}", text.translate({ord(str(n)): chr(0xFF10 + n) for n in range(10)}), " ".join(text)):
            found = read_amount(cell, WAN)
            assert found.yuan == yuan, (cell, found)
            assert ("amount_approximate" in found.marks) == cell.startswith("约")


def in_chinese(value: int) -> str:
    """一亿零五百万…, as it is written by hand."""
    digits, units = "零一二三四五六七八九", ("", "十", "百", "千")

    def below(section: int) -> str:
        text, gap = "", False
        for place in range(3, -1, -1):
            digit = section // 10**place % 10
            if digit:
                text += ("零" if gap and text else "") + digits[digit] + units[place]
                gap = False
            elif text:
                gap = True
        return text

    parts, text = [(value // 10**8, "亿"), (value // 10**4 % 10**4, "万"), (value % 10**4, "")], ""
    for section, unit in parts:
        if section:
            text += ("零" if text and section < 1000 else "") + below(section) + unit
    return text or "零"


@given(st.integers(0, 10**12 - 1))
def test_chinese_numerals_come_back(value: int) -> None:
    assert number(in_chinese(value)) == value


@given(YUANS, st.sampled_from([WAN, YI, unit_of("元")]))
def test_a_number_cell_and_its_text_say_the_same(yuan: int, unit: Unit) -> None:
    value = float(Decimal(yuan) / unit.factor)
    as_number, as_text = read_amount(value, unit), read_amount(repr(value) if "e" not in repr(value) else f"{value:.20f}", unit)
    exact = (Decimal(repr(value)) * unit.factor * 100).to_integral_value(ROUND_HALF_UP)
    assert as_number.minor == exact == yuan * 100
    assert as_text.minor == as_number.minor and as_text.missing == as_number.missing


ODD = st.text(alphabet="0123456789.,-~/亿万千百十元个等共约近余多美港币（）()一二三零两+ \n%abc=@", max_size=25) | st.text(max_size=40)


@given(ODD, st.sampled_from([WAN, YI, DOLLARS, None]))
def test_no_text_breaks_the_reader_and_raw_text_stays(text: str, unit: Unit | None) -> None:
    found = read_amount(text, unit)
    assert isinstance(found, Amount) and found.raw == text
    assert (found.minor is None) == (found.missing is not None)
    assert found.minor is None or found.minor >= 0
    if found.low is not None:
        assert found.high is not None and 0 <= found.low <= found.high
    if unit is None and text.strip().isdecimal() and found.minor is not None:
        raise AssertionError("a bare number was interpreted without a unit")
    area = read_area(text, "亩", None)
    assert area.raw == text and (area.value is None) == (area.missing is not None)


@pytest.mark.parametrize(
    ("text", "mu", "sqm"),
    [
        ("约70亩", "70", "46666.67"),
        ("1.6万平方米", "24.00", "16000.0"),
        ("5公顷", "75.00", "50000.00"),
        ("100余亩", "100", "66666.67"),
        ("5000㎡", "7.50", "5000"),
        ("50m²", "0.07", "50"),
        ("70", "70", "70"),
        ("占地三十亩", "30", "20000.00"),
    ],
)
def test_areas(text: str, mu: str, sqm: str) -> None:
    assert (read_area(text, "亩", None).value, read_area(text, "㎡", None).value) == (Decimal(mu), Decimal(sqm))


@pytest.mark.parametrize("cell", ["2个", "租赁", True, -5, float("nan"), "1" * 100])
def test_what_is_no_area_is_marked_and_rejects_nothing(cell: object) -> None:
    assert read_area(cell, "亩", None).marks == ("area_unparseable",)  # type: ignore[arg-type]
