"""The answer of a rehearsal: totals per variant, series for charts, and a table by month, rule and town. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from app.heart import rules
from app.heart.figures import rate
from app.heart.limits import LEVELS
from app.policies.policy import Policy
from app.rehearsals.audience import READERS
from app.rehearsals.queries import THEN, Question
from app.rehearsals.tally import AT, COLUMNS, Tally, median
from app.rehearsals.variants import Contest

TOLD_LEVELS = LEVELS[1:]
"""Levels that count as a stall."""
_OPEN = tuple(AT[f"open_{level}"] for level in TOLD_LEVELS)
_READING = {
    False: "按现在已知的事实判定（含补报和更正）/ judged by what is known now, corrections and late reports included",
    True: "按每天早晨当时已知的事实判定 / judged every day by what its morning knew",
}
_NOTES = (
    "候选时限叠加在今天有效的策略上，并用于整个时段 / a variant is laid over the policy in force and judges the whole period",
    "时段第一天之前已经达到的级别为存量 / what had been reached before the first look is stock",
    "工作日按现在已知的放假安排 / workdays by the calendar known now",
    "收件人为现有人员，假定邮件当日送达 / readers are the people there are now; every digest is taken to arrive on its day",
    "历史是在当时的时限下发生的 / history happened under the limits of its time: people may act otherwise when warned otherwise",
)


def report(contest: Contest, question: Question, current: Policy, *, office: Mapping[str, str] | None) -> dict[str, Any]:
    """Everything counted, ready for charts (series) and for reading (variants, table)."""
    period, offices = contest.period, question.scope.offices
    begin, end = date.fromordinal(period.begin), date.fromordinal(period.end)
    workdays = [date.fromordinal(day) for day in contest.audience.workdays]
    said: dict[str, Any] = {
        "from": begin,
        "to": end,
        "knowledge": question.knowledge,
        "known_at": question.known_at,
        "policy_version": current.id,
        "calendar_version": current.calendar.number,
        "office": office,
        "projects": contest.projects,
        "provisional_years": sorted({day.year for day in workdays if current.calendar.is_provisional(day)}),
        "notes": [_READING[question.knowledge == THEN], *_NOTES],
        "months": period.months,
        "workdays": workdays,
        "variants": [],
        "series": [],
        "mails": [],
        "stopped": [],
        "table": {"columns": ["variant", "month", "rule", "office", *COLUMNS], "rows": []},
    }
    for variant in contest.variants:
        tallies = {rule: profile.tally for rule, profile in contest.of[variant.name].items()}
        by_rule = {rule: _summed(tally, offices) for rule, tally in tallies.items()}
        posted = contest.posted(variant.name)
        stopped = _stopped(contest, variant.name, offices)
        counts = {rule: _counts(by_rule[rule], tallies[rule].stood) for rule in by_rule}
        whole = _counts(_added(by_rule.values(), len(period.months)), sum((one.stood for one in tallies.values()), Counter()))
        said["variants"].append(
            {"name": variant.name, **whole, "rules": counts, "stopped_at_end": stopped[-1], "mails": _mails(posted, workdays)}
        )
        said["series"] += list(_series(variant.name, by_rule))
        said["mails"] += [{"variant": variant.name, "reader": reader, "values": posted[reader]} for reader in READERS]
        said["stopped"].append({"variant": variant.name, "values": stopped})
        said["table"]["rows"] += list(_rows(variant.name, tallies, period.months, offices))
    return said


def _summed(tally: Tally, offices: Mapping[int, Any]) -> list[list[int]]:
    """Per month, over the offices asked for."""
    months = [[0] * len(COLUMNS) for _ in tally.period.months]
    for (month, office), row in tally.counts.items():
        if office in offices:
            months[month] = [one + more for one, more in zip(months[month], row, strict=True)]
    return months


def _added(of: Any, months: int) -> list[list[int]]:
    added = [[0] * len(COLUMNS) for _ in range(months)]
    for one in of:
        added = [[a + b for a, b in zip(row, more, strict=True)] for row, more in zip(added, one, strict=True)]
    return added


def _counts(months: list[list[int]], stood: Counter[int]) -> dict[str, Any]:
    """A whole period: what happened is added up, what stands is that of the last day."""
    total = [sum(row[number] for row in months) for number in range(len(COLUMNS))]
    counts: dict[str, Any] = {name: months[-1][AT[name]] if AT[name] in _OPEN else total[AT[name]] for name in COLUMNS}
    base = counts["yellow"] + counts["stock_yellow"]
    return counts | {
        "recovered_share": rate(counts["recovered"], base),
        "recovered_before_red_share": rate(counts["recovered_before_red"], base),
        "median_days_to_recover": median(stood),
    }


def _mails(posted: Mapping[str, list[int]], workdays: list[date]) -> dict[str, Any]:
    """Digests per workday: total, mean, and the fullest day."""
    days = [sum(day) for day in zip(*posted.values(), strict=True)]
    most = max(days, default=0)
    return {
        "total": sum(days),
        "workdays": len(days),
        "mean": round(sum(days) / len(days), 1) if days else 0.0,
        "max": most,
        "max_on": workdays[days.index(most)] if most else None,
        **{reader: sum(posted[reader]) for reader in READERS},
    }


def _series(variant: str, by_rule: Mapping[str, list[list[int]]]) -> Iterator[dict[str, Any]]:
    """One line of a chart per rule and level: flags that newly reached it in each month."""
    for rule, months in by_rule.items():
        for level in TOLD_LEVELS:
            values = [row[AT[level]] for row in months]
            if any(values):
                yield {"variant": variant, "rule": rule, "label": rules.BY_NAME[rule].label, "level": level, "values": values}


def _stopped(contest: Contest, variant: str, offices: Mapping[int, Any]) -> list[int]:
    values = [0] * len(contest.period.months)
    for (month, office), number in contest.stopped(variant).counts.items():
        values[month] += number if office in offices else 0
    return values


def _rows(variant: str, tallies: Mapping[str, Tally], months: list[str], offices: Mapping[int, Any]) -> Iterator[list[Any]]:
    """The table by month, rule and town, without rows of nothing but zeros."""
    found = [
        (month, rule, offices[office].code, row)
        for rule, tally in tallies.items()
        for (month, office), row in tally.counts.items()
        if office in offices and any(row)
    ]
    for month, rule, code, row in sorted(found, key=lambda one: one[:3]):
        yield [variant, months[month], rule, code, *row]
