"""The stage a row claims, its kind of agreement, and whether it counts as signed (rules 6-8)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from app.ledgers.understanding import stages
from app.ledgers.understanding.dates import is_planned
from app.ledgers.understanding.headers import NAME
from app.ledgers.understanding.marks import Mark
from app.ledgers.understanding.model import Table
from app.ledgers.understanding.stages import FORMAL, NOT_SIGNED, NOTHING, RANK, SIGNED, STARTED, UNKNOWN, Claim
from app.ledgers.understanding.words import words

Verdict = tuple[str | None, str | None, str, str | None, bool]
"""stage, where from, agreement, side state, counts as signed."""
_KEPT = 20_000
_FLAGS = {"has_registered": "注册", "has_landed": "落地", "has_started": "开工", "is_operating": "投产"}
_TICKED = {"signed_date": "签约", "registered_date": "注册", "site_date": "落地", "start_date": "开工", "operating_date": "投产"}
"""Columns of yes and no, and of days where somebody only ticks."""
_TICKS = frozenset("√✓✔☑")
_YES, _NO = _TICKS | frozenset(words("是 有 已 y yes")), frozenset(words("否 × ✗ ✘ x 无 未 n no"))
_LONGEST, _SHORT = 2_000, 30
"""Letters of a remark, and of a name or a cell in an unknown column, that may tell of the kind of agreement."""
_AGREEMENT_NAME = re.compile(r"(?:框架|意向|合作备忘)(?:性)?(?:协议|合同|书|录)")
_DENIES, _SAYS = re.compile(r"(?:尚|暂|还)?未.{0,4}"), re.compile(r"已.{1,4}")
_DATED = (("operating_date", stages.LAST), ("start_date", STARTED), ("site_date", stages.LAND), ("registered_date", SIGNED))


class _Cache(dict[str, Any]):
    def __init__(self, read: Callable[[str], Any]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, key: str) -> Any:
        if len(self) > _KEPT:
            self.clear()
        found = self[key] = self._read(key)
        return found


class Judge:
    """For one table. Distinct texts are read once."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._stage = _Cache(stages.read_stage)
        self._text = _Cache(stages.read_text)
        self._agreement = _Cache(stages.read_agreement)
        self._text_agreement = _Cache(stages.agreement_of_text)
        self._bare = _Cache(stages.not_substantive)
        self._simple: dict[Any, tuple[Verdict, tuple[Mark, ...]]] = {}

    def all(
        self, values: dict[str, Any], names: Sequence[str | None], marks: dict[int, list[Mark]], headed: Sequence[str | None]
    ) -> list[Verdict]:
        """A verdict for each row; `headed` is the stage of the section it stands in. Marks are added to `marks`."""
        many = len(names)
        nothing: list[Any] = [None] * many
        stage, agreement = values.get("stage", nothing), values.get("agreement", nothing)
        progress, signed = values.get("progress", nothing), values.get("signed_date", nothing)
        remarks = self._elsewhere(values, many)
        has_stage = "stage" in values
        dated: list[str | None] = [None if has_stage else self._dated(values, place) for place in range(many)]
        told = _flags(values, many, marks)
        found: list[Verdict] = []
        for place, (said, paper, text, when, on) in enumerate(zip(stage, agreement, progress, signed, dated, strict=True)):
            remark = remarks.get(place) if not paper else None
            key = (
                said,
                paper,
                text,
                when is not None and when.text is not None and not is_planned(when),
                on,
                remark,
                told.get(place, ""),
                headed[place],
            )
            known = self._simple.get(key)
            if known is None:
                if len(self._simple) > _KEPT:
                    self._simple.clear()
                known = self._simple[key] = self._one(has_stage, said, paper, text or "", *key[3:])
            found.append(known[0])
            if known[1]:
                marks.setdefault(place, []).extend(known[1])
        return found

    def _elsewhere(self, values: dict[str, Any], many: int) -> dict[int, tuple[str, str]]:
        """place → (field, text) of a remark, a cell of an unknown column or a name that tells of a framework agreement or an intent;
        that is all these are read for."""
        found: dict[int, tuple[str, str]] = {}
        for name in ("remark", *(name for name in values if name.startswith("?")), NAME):
            cells = values.get(name, ())
            most = _LONGEST if name == "remark" else _SHORT
            likely = {cell for cell in set(cells) if cell and len(cell) <= most and ("框架" in cell or "意向" in cell)}
            telling = {cell for cell in likely if self._text_agreement[cell]}
            if name == NAME:
                telling = {cell for cell in telling if _AGREEMENT_NAME.search(cell)}
            for place in range(many) if telling else ():
                if cells[place] in telling:
                    found.setdefault(place, (name, cells[place]))
        return found

    def _dated(self, values: dict[str, Any], place: int) -> str | None:
        """The furthest stage whose date has come, when the table has no stage column."""
        report = self._table.report_date
        for name, stage in _DATED:
            if name in values and (when := values[name][place]).first and (report is None or when.first <= report) and not is_planned(when):
                return stage
        return None

    def _mark(self, code: str, name: str, value: str | None) -> Mark:
        return Mark(code, name, self._table.columns.get(name), value[:200] if value else None)

    def _one(self, has_stage: bool, said: str | None, paper: str | None, text: str, dated_signed: bool, dated: str | None,
             remark: tuple[str, str] | None, more: str, heading: str | None) -> tuple[Verdict, tuple[Mark, ...]]:  # fmt: skip
        marks: list[Mark] = []
        column: Claim = self._stage[said] if said else NOTHING
        told: Claim = self._text[f"{text}，{more}" if more else text] if text or more else NOTHING
        agreement = (self._agreement[paper] if paper else None) or None
        written = "agreement"
        if (
            agreement is None
            and said
            and (by_stage := stages.read_agreement(said)) in NOT_SIGNED
            and column.stage in (stages.FIRST, SIGNED)
        ):
            agreement, written = by_stage, "stage" if by_stage == stages.FRAMEWORK else "agreement"
            if by_stage == stages.INTENT_ONLY and column.stage == stages.FIRST:
                agreement = None
        if agreement is None and (by_text := self._text_agreement[text]):
            agreement, written = by_text, "progress"
        if agreement is None and remark:
            agreement, written = self._text_agreement[remark[1]], remark[0]
        side = column.side or told.side
        if column.denied == stages.EVERY:
            return (None, "column", agreement or UNKNOWN, side, False), ()
        stage, source = column.stage, "column" if column.stage else None
        for code in column.marks:
            marks.append(self._mark(code, "stage", said))
        if stage is None:
            stage, source = self._without_column(told, agreement, dated_signed, dated, column.denied | told.denied)
            if source == "text" and not has_stage:
                marks += [self._mark(code, "progress", text) for code in told.marks]
            if heading and heading not in column.denied | told.denied and (stage is None or RANK[heading] > RANK[stage]):
                stage, source = heading, "section"
                marks.append(Mark("stage_from_section"))
        if source == "date":
            marks.append(Mark("stage_from_date"))
        agreement = agreement or UNKNOWN
        if agreement in NOT_SIGNED:
            others = [remark] if remark else []
            claims = stage is not None and RANK[stage] >= RANK[SIGNED]
            if written == "stage" or claims or (not has_stage and (paper or dated_signed)):
                marks.append(
                    self._mark("framework_not_signed", written, {"agreement": paper, "stage": said, **dict(others)}.get(written, text))
                )
            if stage == SIGNED or stage is None:
                stage = stages.FIRST
        if stage == STARTED and text and self._bare[text]:
            marks.append(self._mark("start_not_substantive", "progress", text))
        counts = agreement not in NOT_SIGNED and (agreement == FORMAL if stage is None else RANK[stage] >= RANK[SIGNED])
        return (stage, source if stage else None, agreement, side, counts), tuple(marks)

    def _without_column(self, told: Claim, agreement: str | None, dated_signed: bool, dated: str | None, denied: frozenset[str]
                        ) -> tuple[str | None, str | None]:  # fmt: skip
        """No stage column, or nothing readable in it: the text, the agreement, the dates; never what the text denies."""
        stage, source = told.stage, "text"
        if agreement == FORMAL and (stage is None or RANK[stage] < RANK[SIGNED]):
            stage, source = SIGNED, "agreement"
        if dated and dated not in denied and (stage is None or RANK[dated] > RANK[stage]):
            stage, source = dated, "date"
        if dated_signed and agreement not in NOT_SIGNED and (stage is None or RANK[stage] < RANK[SIGNED]) and SIGNED not in denied:
            stage, source = SIGNED, "date"
        return stage, source if stage else None


def _flags(values: dict[str, Any], many: int, marks: dict[int, list[Mark]]) -> dict[int, str]:
    """place → what columns of yes and no say, in words; a tick in a column of days says it, too, and is no fault."""
    told: dict[int, list[str]] = {}
    for name, word in _FLAGS.items():
        for place, cell in enumerate(values.get(name, ())):
            if cell:
                bare = cell.strip().casefold()
                told.setdefault(place, []).append(f"已{word}" if bare in _YES else f"未{word}" if bare in _NO else cell)
    for place, own in marks.items():
        ticks = [mark for mark in own if mark.code == "date_unparseable" and (mark.value or "").strip() in _TICKS and mark.field in _TICKED]
        for mark in ticks:
            told.setdefault(place, []).append(f"已{_TICKED[str(mark.field)]}")
            own.remove(mark)
        for mark in own:  # 是, 否, 未开工 where a day was asked for: no day, and yet it says something
            if mark.code == "date_unparseable" and mark.field in _TICKED and (bare := (mark.value or "").strip().casefold()):
                word = _TICKED[mark.field]
                if bare in _NO or _DENIES.fullmatch(bare):
                    told.setdefault(place, []).append(f"未{word}")
                elif bare in _YES or (_SAYS.fullmatch(bare) and word in bare):
                    told.setdefault(place, []).append(f"已{word}")
    return {place: "，".join(some) for place, some in told.items() if place < many}
