"""The sheet 说明 beside a list: what was asked, as of when, by which knowledge and which limits, and what the rules mean."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from app.heart import lifecycle
from app.lists.listings import Asked, Listing

FILTERS = {
    "office": "单位", "q": "查找", "stage": "阶段", "status": "状态", "level": "亮灯（含更严重）", "rule": "规则", "owner": "责任人编号",
    "liaison": "包联领导编号",
    "signed_from": "签约自", "signed_to": "签约至", "min_days": "至少停滞天数", "sort": "排序",
}  # fmt: skip
STOPPED = (
    "签约即止：截至查询日已签约；未终止、未暂停；未开工、未投产；签约后未落地，也没有签约以外的实际节点；"
    "且“签约后无进展”或“签约后未注册公司”已到红灯。停滞起始日为两者红灯日中较早的一天。"
)


def notes(listing: Listing, asked: Asked, now: datetime) -> Iterator[tuple[Any, ...]]:
    """The rows of the sheet. Read after the list was written."""
    zone = asked.work.house.clock.zone
    given = asked.given.model_dump(mode="json", exclude_none=True)
    yield "清单", listing.title
    for name, label in FILTERS.items():
        if given.get(name) not in (None, 0):
            yield label, str(given[name])
    yield "统计截止日", asked.at.as_of
    yield "按此刻所知", asked.at.known_at.astimezone(zone).isoformat(" ", "seconds")
    yield "是否定稿", "是" if asked.at.settled and not asked.given.rests_on_names else "否（之后的补报可能改变结果）"
    yield "时限策略版本", asked.policy.id
    yield "策略生效日", asked.policy.effective_from.isoformat()
    yield "生成时间", now.astimezone(zone).isoformat(" ", "seconds")
    yield "查询单位", asked.work.caller.office_name
    yield ("金额", "以该行币种的元计，不折算；日期为真实日期")
    yield ()
    yield (STOPPED,)
    yield ()
    yield "规则", "英文 English", "黄灯", "红灯", "退出评估", "启用"
    for rule in asked.policy.shown()["limits"].values():
        levels = [rule[level] or "–" for level in ("yellow", "red", "exit_review")]
        yield rule["label"], rule["english"], *levels, "是" if rule["enabled"] else "否"
        for route, limits in rule["routes"].items():
            yield f"　其中：{lifecycle.ROUTES[route]}", "", *(str(limits.get(level, "")) for level in ("yellow", "red", "exit_review"))
    yield ()
    yield ("d 为自然日，wd 为工作日（起算日之后第 n 个），m 为月；到达时限当天即亮灯；亮灯由轻到重：蓝灯、黄灯、红灯、退出评估。",)
