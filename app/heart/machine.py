"""The one shared `transitions` machine, the refusals and the checklist, all made from lifecycle's table.

Refusal and checklist come from the same function, `missing_for`, so what the checklist promises the move accepts.
The machine has no callbacks with effects, no automatic transitions and no queue (each was tried out and bit).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from transitions import Machine, State

from app.heart import checks
from app.heart import lifecycle as table
from app.heart.standing import Standing


class LabelledState(State):
    """A machine state with a Chinese label; its name stays ASCII because Mermaid refuses Chinese ids."""

    def __init__(self, name: str, label: str) -> None:
        super().__init__(name)
        self.label = label


class Carrier:
    """What the shared machine moves: a state and nothing else, thrown away after the question."""

    __slots__ = ("state",)

    def __init__(self, state: str) -> None:
        self.state = state


def _machine(kind: str, states: list[LabelledState]) -> Machine:
    rows: list[dict[str, str | None]] = []
    for move in table.MOVES:
        if move.machine != kind:
            continue
        if move.action == "revert":
            rows += [
                {"trigger": f"revert_to_{to}", "source": source, "dest": to} for source in move.sources for to in table.stage_before(source)
            ]
            continue
        rows += [{"trigger": move.action, "source": source, "dest": move.target} for source in move.sources]
        if kind == "stage":  # a lower stage that was never reported is filled in; the stage itself stays
            higher = [name for name in table.STAGE_NAMES if table.RANK[name] > table.RANK[move.target]]
            rows += [{"trigger": move.action, "source": name, "dest": None} for name in higher]
    return Machine(model=None, states=states, transitions=rows, initial=states[0].name, auto_transitions=False)


STAGE_MACHINE = _machine("stage", [LabelledState(stage.name, stage.label) for stage in table.STAGES])
STATUS_MACHINE = _machine("status", [LabelledState(name, label) for name, label in table.STATUSES.items()])


def fires(action: str, state: str, to: str | None = None) -> str | None:
    """The state after the move, or None where the machine has no such arrow."""
    machine = STAGE_MACHINE if table.BY_ACTION[action].machine == "stage" else STATUS_MACHINE
    event = machine.events.get(f"revert_to_{to}" if action == "revert" else action)
    if event is None or state not in event.transitions:
        return None
    carrier = Carrier(state)
    return carrier.state if event.trigger(carrier) is True else None


class Refusal(NamedTuple):
    """Why a move is refused: a stable code, what is missing, and a sentence that says what to do next."""

    code: str
    hint: str
    missing: list[dict[str, Any]]


def evidence_missing(kinds: tuple[str, ...]) -> dict[str, Any]:
    """One missing proof; `or` lists what would do as well."""
    row: dict[str, Any] = {"kind": kinds[0], "label": table.EVIDENCE[kinds[0]].label}
    if len(kinds) > 1:
        row["label"] = "或".join(table.EVIDENCE[kind].label for kind in kinds)
        row["or"] = list(kinds[1:])
    return row


def is_blank(value: Any) -> bool:
    """Nothing, or a text of blanks only: not an answer. Zero is one."""
    return value is None or (isinstance(value, str) and not value.strip())


def missing_for(action: str, before: Standing, given: Mapping[str, Any], proofs: Collection[str]) -> list[dict[str, Any]]:
    """Everything a move still lacks, at once: evidence (kind), fields (field), and the reason for skipped stages.

    `before` is the standing on the move's date, `proofs` the complete evidence on file or handed in, `given` the
    move's own fields.
    """
    move = table.BY_ACTION[action]
    missing: list[dict[str, Any]] = []
    route, needs_registration = before.route, before.needs_registration
    if given.get("route"):  # a route told with the move decides what the move asks for
        route = given["route"]
        needs_registration = needs_registration and table.founds_company(route)
    for group in table.requirements(action, route, needs_registration):
        if not any(kind in proofs for kind in group):
            missing.append(evidence_missing(group))
    for name in move.fields:
        known = {"contract_amount": before.amount, "route": before.route}.get(name)
        if known is None and is_blank(given.get(name)):
            missing.append({"field": name, "label": table.FIELD_LABELS[name]})
    if (skipped := skipped_stages(action, before)) and is_blank(given.get("gap_reason")):
        labels = "、".join(table.BY_STAGE[name].label for name in skipped)
        missing.append({"field": "gap_reason", "label": f"跳过阶段（{labels}）的原因", "skipped": list(skipped)})
    return missing


def skipped_stages(action: str, before: Standing) -> tuple[str, ...]:
    """Lower stages never reported by the move's date that this move would jump over."""
    target = table.STAGE_MOVES.get(action)
    if target is None:
        return ()
    return tuple(name for name in table.stage_before(target) if name not in before.in_force and name != table.INTENT)


def refuse(action: str, before: Standing | None, given: Mapping[str, Any], proofs: Collection[str]) -> Refusal | None:
    """Say no, with everything that is wrong, or None when the move may be recorded.

    `before` is the standing on the move's effective date: None when the project did not exist yet.
    """
    move = table.BY_ACTION[action]
    if before is None:
        return Refusal("move_not_allowed", "该日期早于项目登记日期，请核对发生日期", [])
    if before.status == "terminated" and action != "reopen":
        return Refusal("move_not_allowed", "项目在该日期已终止；如需继续，请先由县招商局重新启动（reopen）", [])
    if move.machine == "status":
        if fires(action, before.status) is None:
            return Refusal("move_not_allowed", f"项目在该日期为“{table.STATUSES[before.status]}”，不能执行“{move.label}”", [])
    elif action != "revert":
        if move.target in before.in_force:
            return Refusal("move_not_allowed", f"“{move.label}”在该日期已经生效，无需重复上报；日期有误请作废原记录后重报", [])
        if fires(action, before.stage or table.INTENT) is None:
            return Refusal("move_not_allowed", f"不能从“{table.BY_STAGE[before.stage or table.INTENT].label}”执行“{move.label}”", [])
    missing = missing_for(action, before, given, proofs)
    if missing:
        kinds = any("kind" in row for row in missing)
        labels = "、".join(row["label"] for row in missing)
        hint = f"请补充：{labels}" + ("；框架协议留在意向阶段" if action == "sign" and kinds else "")
        return Refusal("evidence_missing", hint, missing)
    if action == "revert" and fires(action, before.stage or table.INTENT, given["to"]) is None:
        return Refusal("move_not_allowed", "只能回退到当前阶段之前的阶段", [])
    return None


def checklist(before: Standing, role: str | None = None) -> list[dict[str, Any]]:
    """Every move with whether the table allows it from here and what it still lacks."""
    rows = []
    for move in table.MOVES:
        possible = refuse(move.action, before, {"to": None}, ()) is None or _only_lacks(move.action, before)
        rows.append(
            {
                "action": move.action,
                "label": move.label,
                "to": move.target,
                "allowed": possible and (role is None or role in move.may),
                "missing": missing_for(move.action, before, {}, before.proofs) if possible else [],
            }
        )
    return rows


def _only_lacks(action: str, before: Standing) -> bool:
    refusal = refuse(action, before, {}, before.proofs)
    if refusal is None or refusal.code == "evidence_missing":
        return action != "revert" or table.RANK[before.stage] > 1
    return False


start_date_missing = checks.start_date_missing


def next_missing(standing: Standing) -> list[dict[str, Any]]:
    """What the next stage still asks for; nothing once the project operates or has ended."""
    if standing.status == "terminated":
        return []
    rank = max(table.RANK[standing.stage], 1)
    if rank >= len(table.STAGES):
        return []
    return missing_for(table.ACTION_OF[table.STAGE_NAMES[rank]], standing, {"gap_reason": "-"}, standing.proofs)


def workflow() -> dict[str, Any]:
    """The table as JSON: stages, statuses, moves with who may and what each asks for by route, and Mermaid."""
    return {
        "stages": [stage._asdict() for stage in table.STAGES],
        "statuses": [{"name": name, "label": label} for name, label in table.STATUSES.items()],
        "routes": [{"name": name, "label": label} for name, label in table.ROUTES.items()],
        "milestones": [{"name": name, "label": label} for name, label in table.MILESTONES.items()],
        "evidence": [
            {"kind": kind, "label": row.label, "english": row.english, "proves": row.proves} for kind, row in table.EVIDENCE.items()
        ],
        "moves": [
            {
                "action": move.action,
                "label": move.label,
                "english": move.english,
                "kind": move.machine,
                "from": list(move.sources),
                "to": move.target,
                "may": list(move.may),
                "fields": list(move.fields),
                "evidence": {
                    route: [list(group) for group in table.requirements(move.action, route, table.founds_company(route))]
                    for route in table.ROUTES
                },
            }
            for move in table.MOVES
        ],
        "mermaid": mermaid(),
    }


def mermaid() -> str:
    """The stage diagram; the README shows this very text (a test compares them)."""
    lines = ["stateDiagram-v2", "    direction LR"]
    lines += [f"    {stage.name} : {stage.label} {stage.name}" for stage in table.STAGES]
    lines.append(f"    [*] --> {table.INTENT}")
    for move in table.MOVES:
        if move.action in table.STAGE_MOVES:
            for source in move.sources:
                skip = table.RANK[move.target] - table.RANK[source] > 1
                lines.append(f"    {source} --> {move.target} : {move.action}" + (" (gap_reason)" if skip else ""))
    lines.append(f"    {table.OPERATING} --> {table.INTENT} : revert (bureau, to any earlier stage)")
    return "\n".join(lines)
