"""The notices of seventeen years against the calendar that others made of them, and every fault a text can have."""

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.calendars.notice import read_notice
from app.errors import Invalid
from app.heart.calendar import SHIPPED, Calendar
from tests.calendars.notices import ITEMS, notice

GONE_SINCE = {
    # decided after the notice, by papers of their own: the parade of 2015, and the epidemic of 2020
    2015: {date(2015, 9, 3), date(2015, 9, 4), date(2015, 9, 6)},
    2020: {date(2020, 1, 31), date(2020, 2, 1)},
}


def differences(year: int, calendar: Calendar) -> set[date]:
    day, found = date(year - 1, 12, 1), set()
    while day <= date(year, 12, 31):
        if calendar.is_workday(day) != SHIPPED.is_workday(day):
            found.add(day)
        day += timedelta(days=1)
    return found


@pytest.mark.parametrize("year", ITEMS)
def test_a_notice_says_what_the_calendar_of_others_says(year: int) -> None:
    understood = read_notice(notice(year), year)
    late_in_december = {day for day in differences(year, Calendar([understood.says])) if day.month == 12 and day.year == year}
    assert differences(year, Calendar([understood.says])) - late_in_december == GONE_SINCE.get(year, set())
    assert understood.source == f"国办发明电〔{year - 1}〕12号"
    assert late_in_december == {day for day in late_in_december if year + 1 in ITEMS}  # told by the next notice


@pytest.mark.parametrize("year", ITEMS)
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", ""),
        lambda text: text.replace("\n", "\r\n\r\n\u3000\u3000"),
        lambda text: text.replace("：", ":").replace("（", "(").replace("）", ")").replace("，", ","),
        lambda text: re.sub(r"([0-9]+)(月|日)", r" \1 \2", text),
        lambda text: re.sub(r"(?m)^[一二三四五六七]、\s*", "——", text),
        lambda text: re.sub(r"(?m)^[一二三四五六七]、\s*", "", text),
        lambda text: text[text.index("一、") :],
        lambda text: text.translate({ord("0") + n: ord("０") + n for n in range(10)}),
        lambda text: text + "\n来源：新华社  发布时间：2026-11-05 22:32\n[责编：张某]",
    ],
)
def test_copying_changes_nothing(year: int, change: object) -> None:
    assert read_notice(change(notice(year)), year).says == read_notice(notice(year), year).says  # type: ignore[operator]


def test_advice_and_principles_are_listed_and_take_no_day_off() -> None:
    advice = read_notice(notice(2024), 2024)
    assert date(2024, 2, 9) not in advice.says.holidays
    assert any("2月9日" in one for one in advice.ignored) and any("2023年12月8日" in one for one in advice.ignored)
    assert any("自2025年1月1日起" in one for one in read_notice(notice(2025), 2025).ignored)


def test_days_carry_the_name_of_their_holiday() -> None:
    says = read_notice(notice(2025), 2025).says
    assert says.holidays[date(2025, 10, 6)] == "国庆节、中秋节" and says.workdays[date(2025, 1, 26)] == "春节"
    across = read_notice(notice(2023), 2023).says
    assert [day for day in across.holidays if day.year == 2022] == [date(2022, 12, 31)]


def faults(text: str, year: int = 2026) -> list[str]:
    with pytest.raises(Invalid) as refusal:
        read_notice(text, year)
    return [row["message"] for row in refusal.value.extra["errors"]]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("1月4日（周日）上班", "1月4日（周六）上班", "2026-01-04 是周日，不是周六"),
        ("1月4日（周日）上班", "1月5日（周一）上班", "2026-01-05 是周一，本来就上班"),
        ("放假调休，共9天", "放假调休，共8天", "写明共 8 天，而所列日期是 9 天"),
        ("至23日（农历正月初七、周一）", "至13日（农历正月初七）", "先后颠倒"),
        ("2月15日（农历腊月二十八、周日）", "2月30日", "没有 2026 年 2 月 30 日这一天"),
        ("2月15日（农历腊月二十八、周日）", "15日", "没有写月份"),
        ("5月1日（周五）至5日（周二）放假调休", "五月一日至五日放假调休", "看不懂这一句"),
        ("5月1日（周五）至5日（周二）放假调休", "5月1-5日放假调休", "看不懂这一句"),
        ("5月9日（周六）上班", "5月9日（周六）要上班", "看不懂这一句：“5月9日(周六)要上班”"),
        ("5月9日（周六）上班", "5月9日（周六）、5月9日（周六）上班", "写了两次"),
        ("5月9日（周六）上班", "5月2日（周六）上班", "2026-05-02 写了两次"),
        ("5月9日（周六）上班", "2027年5月9日上班", "2027-05-09 不在 2026 年"),
        ("10月1日（周四）至7日（周三）", "10月1日至12月7日", "超过 31 天"),
        ("六、中秋节：9月25日（周五）至27日（周日）放假，共3天。\n", "", "缺少中秋"),
        ("9月25日（周五）至27日（周日）放假，共3天。", "另行通知。", "中秋节：没有说明哪天放假"),
        ("关于2026年", "关于2025年", "通知是关于 2025 年的"),
        ("现将2026年", "现将2025年", "通知是关于 2025 年的"),
        ("通知如下。\n", "通知如下。1月5日放假。\n", "看不懂这一句：“1月5日放假”"),
        ("节假日期间，", "12月31日下午提前放假。节假日期间，", "看不懂这一句：“12月31日下午提前放假”"),
    ],
)
def test_a_fault_is_named(old: str, new: str, said: str) -> None:
    text = notice(2026)
    assert old in text
    found = faults(text.replace(old, new, 1))
    assert any(said in one for one in found), found


def test_all_faults_are_told_at_once() -> None:
    text = notice(2026).replace("1月4日（周日）", "1月4日（周六）").replace("共9天", "共8天").replace("5月9日（周六）上班", "5月9日补班")
    assert len(faults(text)) == 3


def test_a_notice_that_changes_one_holiday_is_not_taken_for_a_year() -> None:
    text = (
        "国务院办公厅关于调整2019年劳动节假期安排的通知\n经国务院批准，现将调整2019年劳动节放假安排通知如下。\n"
        "一、2019年5月1日至4日放假调休，共4天。4月28日（星期日）、5月5日（星期日）上班。"
    )
    assert faults(text, 2019)
    assert any("补充通知" in one for one in faults("劳动节：5月1日至4日放假调休，共4天。", 2019))


@pytest.mark.parametrize(
    "text", ["", "。", "明年再说", "一、", "一、：", "元旦：", "date,kind,name\n2026-01-01,holiday,元旦", "一" * 20000, "1日、" * 6000]
)
def test_no_notice_is_no_notice(text: str) -> None:
    assert faults(text)


_pieces = st.sampled_from(
    [*"一二三、：，。；（）至共天日月年0123456789\n ", "元旦：", "1月1日", "放假", "上班", "调休", "（周四）", "补休", "2026年", "鼓励"]
)


@given(st.text(max_size=300) | st.lists(_pieces, max_size=80).map("".join), st.sampled_from([1950, 2007, 2026, 2099]))
def test_any_text_is_read_or_refused(text: str, year: int) -> None:
    for told in (text, notice(2026).replace("1月4日", text)):
        try:
            read = read_notice(told, year)
        except Invalid:
            continue
        assert all(day.weekday() > 4 for day in read.says.workdays) and not set(read.says.workdays) & set(read.says.holidays)
