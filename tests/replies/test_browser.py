"""From the mail to the fact, as an office does it: a real mail server, a real browser the size of a telephone, no script."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from app.offices.service import add_person
from app.worker import daily
from tests.cast import County, make_settings, running
from tests.daily.peers import mail_server

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
FINGER = 44
"""Pixels that a finger needs."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "these tests need a browser: apt-get install chromium fonts-wqy-zenhei (.ci/run does)"
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield made
        made.close()


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    """A page without script, in which nothing went wrong: nothing was refused by its policy, nothing came from elsewhere."""
    context = browser.new_context(viewport={"width": 360, "height": 640}, java_script_enabled=False, locale="zh-CN")
    page, wrong = context.new_page(), []
    page.on("console", lambda line: wrong.append(line.text) if "server responded with a status" not in line.text else None)
    page.on("requestfailed", lambda request: wrong.append(request.url))
    yield page
    assert wrong == []
    context.close()


def story(county: County, address: str, inbox: Any) -> list[str]:
    """A day's digest really arrives; the links of its lines, in their order, as text and HTML name them."""
    with county.database.write() as connection:
        add_person(connection, office="T01", name="王一", email="wang@example.org", role="clerk")
    for name in ("年产5万吨锂电材料项目", "<script>alert('冷链')</script>" + "物流园" * 60):
        county.sign(county.register(effective_on="2026-01-01", name=name), "2026-02-01")
    county.at("2026-06-10T08:00:00+08:00")
    daily(replace(county.house, settings=county.house.settings.model_copy(update={"public_url": address})))
    (letter,) = inbox.messages("wang@example.org")
    text, page = (letter.get_body((kind,)).get_content() for kind in ("plain", "html"))
    links = re.findall(rf"{address}/r/[\w-]+", text)
    assert sorted(links) == sorted(re.findall(rf'href="({address}/r/[^"]+)"', page)) and len(links) == 2
    return links


def test_a_line_of_the_mail_is_answered_on_a_telephone(database_url: str, tmp_path: Path, phone: Page) -> None:
    with mail_server() as (inbox, smtp_url), running(make_settings(database_url, tmp_path, smtp_url=smtp_url)) as county:
        for link in story(county, county.address, inbox):
            phone.goto(link)
            assert phone.get_by_text("您是 王一（示例1镇）吗？").is_visible()
            if "script" not in phone.content().replace("noscript", ""):
                answered = link
            assert phone.evaluate("document.documentElement.scrollWidth") <= 360, "nothing hangs over the edge"
            choices = phone.locator("summary").all()
            assert [one.inner_text() for one in choices] == ["跟踪服务", "新的约定日期", "堵点", "没有变化"]
            assert all((one.bounding_box() or {"height": 0})["height"] >= FINGER for one in choices)
        phone.goto(answered)
        phone.screenshot(path=tmp_path / "opened.png", full_page=True)
        phone.locator("summary").first.focus()  # by keyboard alone
        phone.keyboard.press("Enter")
        for key in ("Tab", "ArrowRight", "Tab"):
            phone.keyboard.press(key)
        phone.keyboard.type("走访企业，设备已订购")
        assert phone.get_by_label("跟踪情况（今天）").input_value() == "走访企业，设备已订购" and phone.get_by_label("走访").is_checked()
        phone.screenshot(path=tmp_path / "typed.png", full_page=True)
        phone.keyboard.press("Tab")
        phone.keyboard.press("Enter")
        phone.get_by_role("status").get_by_text("已登记").wait_for()
        phone.screenshot(path=tmp_path / "done.png", full_page=True)
        phone.reload()  # sends the form again
        phone.get_by_role("status").get_by_text("已经登记过").wait_for()
        found = [
            one
            for ref in county.get("clerk", "/projects")["items"]
            for one in county.get("clerk", f"/projects/{ref['ref']}/facts")["items"]
        ]
        (fact,) = [one for one in found if one["source"] == "reply_link"]
        assert fact["kind"] == "followed_up" and fact["data"] == {"channel": "visit", "note": "走访企业，设备已订购"}
        assert [one["what"] for one in county.get("auditor", "/reply-uses")["items"]][:2] == ["repeated", "answered"]


def test_what_is_wrong_is_said_where_it_is_seen(sqlite_url: str, tmp_path: Path, phone: Page) -> None:
    with mail_server() as (inbox, smtp_url), running(make_settings(sqlite_url, tmp_path, smtp_url=smtp_url)) as county:
        link, _ = story(county, county.address, inbox)
        phone.goto(link)
        phone.get_by_text("新的约定日期").click()
        phone.get_by_label("计划投产日期").check()
        phone.get_by_label("新的日期").fill("2046-01-01")
        phone.get_by_label("变更原因").fill("设备交付推迟")
        phone.get_by_role("button", name="登记日期").click()
        alert = phone.get_by_role("alert")
        alert.get_by_text("新的日期应在今天或以后").wait_for()
        phone.screenshot(path=tmp_path / "wrong.png", full_page=True)
        assert phone.get_by_label("变更原因").input_value() == "设备交付推迟", "what was typed is still there"
        phone.get_by_label("新的日期").fill("2027-03-01")
        phone.get_by_role("button", name="登记日期").click()
        phone.get_by_role("status").get_by_text("已登记").wait_for()
        county.at("2026-06-30T08:00:00+08:00")
        phone.goto(link)
        phone.get_by_role("alert").get_by_text("请向本单位负责人或县招商局值班员询问").wait_for()
        phone.screenshot(path=tmp_path / "expired.png", full_page=True)
