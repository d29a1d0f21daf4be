"""Is the day's work done? What a monitor asks, judged from a few rows; every finding says what to do next.

`bad` means that somebody has to act or people are not told today; `warn` can wait for office hours. No names, addresses or
words that people wrote are in it, since it is told to whoever asks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from app.alerts.daily import begins
from app.settings import Settings
from app.stalls.runs import DONE, UNFINISHED, Run

OK, WARN, BAD = "ok", "warn", "bad"
GRACE = timedelta(minutes=15)
"""After DAILY_AT, until a run that is not done is called late: a large register takes its minutes."""
LONGEST = timedelta(hours=2)
"""After this even a run that is visibly at work is called late."""
OVERDUE = timedelta(minutes=10)
"""Past its time by so much, a message waits for a sender that is not there."""
RESTING = timedelta(minutes=30)
"""A relay that rests for longer is no passing trouble."""
NEXT_YEAR_FROM = 11
"""The month in which the next year's days off are usually published."""


class Finding(NamedTuple):
    """One thing that is not as it should be."""

    code: str
    level: str
    text: str


CODES: dict[str, tuple[str, str]] = {
    "run_late": (BAD, "{day} 的每日任务未按时完成；请检查 worker 是否在运行，或立即运行 luodi daily / the daily run is late"),
    "run_failed": (BAD, "{day} 的每日任务已失败 {number} 次；请查看日志中的 job failed，排除后会自动重试 / the daily run keeps failing"),
    "run_slow": (BAD, "{day} 的每日任务已运行超过 {number} 小时；请查看数据库负载 / the daily run takes too long"),
    "run_working": (WARN, "{day} 的每日任务仍在进行，请稍后再查 / the daily run is still at work"),
    "projects_failed": (WARN, "{day} 有 {number} 个项目无法评估；请查看日志和 GET /api/v1/runs / projects could not be judged"),
    "messages_overdue": (BAD, "{number} 条消息过了发送时间仍未发出；请检查 worker 是否在运行 / messages are overdue"),
    "messages_uncertain": (BAD, "{number} 条消息结果不明；请核实后在 GET /api/v1/deliveries?state=uncertain 中逐条重发 / fate unknown"),
    "messages_expired": (BAD, "{number} 条消息未能在当日发送时限内发出；请检查通道，必要时人工重发 / messages expired"),
    "messages_failed": (WARN, "{number} 条消息被拒收；请在 GET /api/v1/deliveries?state=failed 中核对地址 / messages were refused"),
    "channel_paused": (BAD, "通道 {channel} 有 {number} 个出口已暂停；请按 GET /api/v1/channels 的原因修复后恢复 / channel paused"),
    "channel_resting": (WARN, "通道 {channel} 有 {number} 个出口暂时不通，将自动重试 / a relay rests"),
    "channel_down": (BAD, "通道 {channel} 有 {number} 个出口已不通半小时以上；请查看 GET /api/v1/channels / a relay is down"),
    "hold": (BAD, "全部消息已暂缓发送，自 {day} 起；核实后解除 / everything is held back"),
    "calendar_provisional": (WARN, "{number} 年的放假安排尚未导入，工作日按周一至周五暂计；请运行 luodi calendar import / no notice yet"),
}
"""Everything that can be found: how bad it is, and what to do."""


def found(code: str, **words: Any) -> Finding:
    """A finding in its words."""
    level, text = CODES[code]
    return Finding(code, level, text.format(**words))


class Seen(NamedTuple):
    """What was read. `lost` counts messages of the day that ended badly by state, `relays` are (channel, state, since) of those
    out of order, `held_since` is when everything was held back, `published` the years whose days off are known."""

    run: Run | None
    overdue: int = 0
    lost: Mapping[str, int] = {}
    relays: Sequence[tuple[str, str, datetime | None]] = ()
    held_since: datetime | None = None
    published: Collection[int] = ()


def last_due(now: datetime, settings: Settings) -> date:
    """The newest day whose run is due by now."""
    today = now.astimezone(settings.zone).date()
    return today if now >= begins(today, settings) else today - timedelta(days=1)


def judge(seen: Seen, now: datetime, settings: Settings) -> list[Finding]:
    """Everything that is not as it should be, in the order of the day."""
    held = [] if seen.held_since is None else [found("hold", day=seen.held_since.astimezone(settings.zone).date())]
    today = now.astimezone(settings.zone).date()
    return [*_run(seen.run, now, settings), *_messages(seen), *_relays(seen, now), *held, *calendar(seen.published, today)]


def worst(findings: Sequence[Finding]) -> str:
    """The one word for all of it."""
    levels = {one.level for one in findings}
    return BAD if BAD in levels else WARN if WARN in levels else OK


def _run(run: Run | None, now: datetime, settings: Settings) -> list[Finding]:
    due = last_due(now, settings)
    late = now >= begins(due, settings) + GRACE
    if run is None:  # a new register: nothing was ever due before its first day
        return [found("run_late", day=due)] if late and due == now.astimezone(settings.zone).date() else []
    if run.run_date < due or run.state not in (DONE, *UNFINISHED):
        return [found("run_late", day=due)] if late else []
    if run.state == DONE:
        failed = run.counts.get("failed") or 0
        return [found("projects_failed", day=run.run_date, number=failed)] if failed else []
    if run.lease_until is None or run.lease_until < now:  # nobody is at it: it was given back, or its process died
        return [found("run_failed", day=run.run_date, number=run.attempt)] if late or run.attempt > 1 else []
    if run.started_at is not None and now - run.started_at > LONGEST:
        return [found("run_slow", day=run.run_date, number=int(LONGEST.total_seconds() // 3600))]
    return [found("run_working", day=run.run_date)] if late else []


def _messages(seen: Seen) -> list[Finding]:
    overdue = [found("messages_overdue", number=seen.overdue)] if seen.overdue else []
    return overdue + [
        found(f"messages_{state}", number=seen.lost[state]) for state in ("uncertain", "expired", "failed") if seen.lost.get(state)
    ]


def _relays(seen: Seen, now: datetime) -> list[Finding]:
    counted: dict[tuple[str, str], int] = {}
    for channel, state, since in seen.relays:
        down = since is not None and now - since > RESTING
        code = "channel_paused" if state == "paused" else "channel_down" if down else "channel_resting"
        counted[channel, code] = counted.get((channel, code), 0) + 1
    return [found(code, channel=channel, number=number) for (channel, code), number in sorted(counted.items())]


def calendar(published: Collection[int], today: date) -> list[Finding]:
    """The years that workdays are counted in without a notice: this one, and late in the year the next."""
    years = [today.year] + [today.year + 1] * (today.month >= NEXT_YEAR_FROM)
    return [found("calendar_provisional", number=year) for year in years if year not in published]
