"""THE TABLE: stages, moves, evidence by route, and who may. The only place that decides a stage.

From these rows come the `transitions` machine, the refusals, the checklist for the next move, GET /workflow, the Mermaid
diagram, the database CHECK and the generated tests. Sources: published county rules (2-domain 2.1, 2.2). To change
what a stage asks for, change its row.
"""

from __future__ import annotations

from typing import NamedTuple


class Stage(NamedTuple):
    """One of the five stages; `milestone` is what entering it proves, `recogniser` who recognises the claim."""

    name: str
    label: str
    definition: str
    milestone: str | None
    recogniser: str


class Evidence(NamedTuple):
    """One kind of proof. `proves` names the milestone it shows; `progress` says whether a new dated one moves the
    progress clock; `needs` lists the fields without which it proves nothing."""

    label: str
    english: str
    proves: str | None = None
    progress: bool = True
    needs: tuple[str, ...] = ()


class Move(NamedTuple):
    """One row of the machine: what is called, from where it may start, where it leads and who may call it.

    `evidence` lists groups; of each group one kind is enough. `fields` are project fields that must be known. Both may
    depend on the site route: see `requirements`."""

    action: str
    label: str
    english: str
    machine: str
    sources: tuple[str, ...]
    target: str
    may: tuple[str, ...]
    evidence: tuple[tuple[str, ...], ...] = ()
    fields: tuple[str, ...] = ()


STAGES = (
    Stage("intent", "意向", "有明确投资意向：已登记接洽日期、投资方、来源、责任人；框架协议不算签约", None, "town"),
    Stage("signed", "签约", "已签订正式合同：当事人、金额、地点、日期齐备", "contract_signed", "bureau"),
    Stage("land", "落地", "公司已注册、项目已备案、用地或厂房已落实", "land_secured", "bureau"),
    Stage("construction", "开工", "实质性开工：首个永久性工程动工，或设备进场安装", "real_start", "bureau"),
    Stage("operating", "投产", "真实投产或运营", "first_invoice", "bureau"),
)
STAGE_NAMES = tuple(stage.name for stage in STAGES)
BY_STAGE = {stage.name: stage for stage in STAGES}
RANK: dict[str | None, int] = {None: 0} | {stage.name: rank for rank, stage in enumerate(STAGES, 1)}
INTENT, SIGNED, LAND, CONSTRUCTION, OPERATING = STAGE_NAMES

STATUSES = {"active": "推进中", "suspended": "暂停", "terminated": "终止"}
TERMINATIONS = {
    "rescinded": "解除合同",
    "withdrawn": "投资方退出",
    "superseded": "并入其他项目",
    "transferred": "转出",
    "removed": "移出台账",
}
PARTIES = {"government": "政府方", "investor": "投资方", "both": "双方"}
"""Who must act next while a project is suspended."""

ROUTES = {
    "new_land_existing_quota": "新供地（有指标）",
    "new_land_new_quota": "新供地（需新增指标）",
    "leased": "租赁厂房",
    "purchased": "购置厂房",
    "existing_site": "现有场地（技改、增资扩产）",
    "no_site": "无需场地",
}
BUILT_ROUTES = ("new_land_existing_quota", "new_land_new_quota")
"""Routes on which something is built, so that its completion must be accepted before operation."""

STAGE_OF_MILESTONE: dict[str, str] = {stage.milestone: stage.name for stage in STAGES if stage.milestone and stage.name != SIGNED}
"""Milestones that a stage after signing stands for: a revert of the stage takes them out of force too."""

MILESTONES = {
    "contract_signed": "签订正式合同",
    "company_registered": "公司注册",
    "project_filed": "项目备案",
    "land_secured": "用地或厂房落实",
    "eia_approved": "环评批复",
    "construction_permit": "施工许可",
    "real_start": "实质性开工",
    "main_structure_capped": "主体封顶",
    "equipment_installed": "设备安装",
    "completion_accepted": "竣工验收",
    "trial_production": "试生产",
    "first_invoice": "首张发票",
    "statistics_enrolled": "入统",
}

EVIDENCE = {
    "meeting_record": Evidence("接洽记录", "meeting or visit record", progress=False),
    "letter_of_intent": Evidence("意向书", "letter of intent"),
    "framework_agreement": Evidence("框架协议", "framework agreement"),
    "formal_contract": Evidence("正式合同", "formal contract", "contract_signed", False, ("number", "dated_on")),
    "company_registration": Evidence("公司注册（统一社会信用代码）", "company registration", "company_registered"),
    "project_filing": Evidence("项目备案（项目代码）", "project filing", "project_filed"),
    "land_grant_contract": Evidence("土地出让合同", "land grant contract", "land_secured"),
    "property_certificate": Evidence("不动产权证", "property certificate", "land_secured"),
    "lease_contract": Evidence("租赁合同", "lease contract", "land_secured"),
    "purchase_contract": Evidence("购房合同", "purchase contract", "land_secured"),
    "site_statement": Evidence("现有场地说明", "statement on the existing site", "land_secured"),
    "eia_approval": Evidence("环评批复", "environmental approval", "eia_approved"),
    "construction_permit": Evidence("施工许可证", "construction permit", "construction_permit"),
    "start_report": Evidence("开工报告", "start report", "real_start"),
    "site_photo": Evidence("现场照片（注明日期）", "dated site photo", needs=("dated_on",)),
    "first_invoice": Evidence("首张发票", "first invoice", "first_invoice"),
    "tax_proof": Evidence("纳税证明", "tax proof"),
    "completion_acceptance": Evidence("竣工验收", "completion acceptance", "completion_accepted"),
    "other": Evidence("其他材料", "other evidence"),
}

SITE_PROOF: dict[str, tuple[str, ...]] = {
    "new_land_existing_quota": ("land_grant_contract", "property_certificate"),
    "new_land_new_quota": ("land_grant_contract", "property_certificate"),
    "leased": ("lease_contract",),
    "purchased": ("purchase_contract", "property_certificate"),
    "existing_site": ("site_statement",),
    "no_site": (),
}

TOWN_AND_BUREAU = ("clerk", "officer")
BUREAU = ("officer",)
MOVES = (
    Move("sign", "签约", "sign the formal contract", "stage", (INTENT,), SIGNED, TOWN_AND_BUREAU,
         (("formal_contract",),), ("contract_amount",)),
    Move("secure_land", "落地", "company, filing and site secured", "stage", (INTENT, SIGNED), LAND, TOWN_AND_BUREAU,
         (("company_registration",), ("project_filing",), ("site_proof",)), ("route",)),
    Move("start_construction", "开工", "substantive start", "stage", (INTENT, SIGNED, LAND), CONSTRUCTION, TOWN_AND_BUREAU,
         (("construction_permit", "start_report"), ("site_photo",))),
    Move("start_operation", "投产", "real operation", "stage", (INTENT, SIGNED, LAND, CONSTRUCTION), OPERATING, TOWN_AND_BUREAU,
         (("first_invoice", "tax_proof"), ("completion_acceptance",))),
    Move("revert", "阶段回退", "put later stages out of force from this date on", "stage",
         (SIGNED, LAND, CONSTRUCTION, OPERATING), "earlier", BUREAU, (), ("reason", "to")),
    Move("suspend", "暂停", "pause with a reason, who must act next, and an end date", "status", ("active",), "suspended", TOWN_AND_BUREAU,
         (), ("reason", "next_actor", "until")),
    Move("resume", "恢复推进", "resume", "status", ("suspended",), "active", TOWN_AND_BUREAU),
    Move("terminate", "终止", "terminate with its kind and reason", "status", ("active", "suspended"), "terminated", BUREAU,
         (), ("reason", "termination")),
    Move("reopen", "重新启动", "reopen a terminated project", "status", ("terminated",), "active", BUREAU, (), ("reason",)),
)  # fmt: skip
BY_ACTION = {move.action: move for move in MOVES}
STAGE_MOVES = {move.action: move.target for move in MOVES if move.machine == "stage" and move.target in RANK}
"""action → stage it claims."""
ACTION_OF = {stage: action for action, stage in STAGE_MOVES.items()}

FIELD_LABELS = {
    "contract_amount": "协议投资额",
    "route": "落地方式（是否新供地等）",
    "reason": "原因",
    "to": "回退到的阶段",
    "next_actor": "下一步由谁办理",
    "until": "暂停截止日期",
    "termination": "终止类别",
    "gap_reason": "跳过阶段的原因",
}


def founds_company(route: str | None) -> bool:
    """Is a company registered on this route unless somebody says otherwise? An existing site has one already."""
    return route != "existing_site"


def requirements(action: str, route: str | None, needs_registration: bool) -> list[tuple[str, ...]]:
    """The evidence groups a move asks for on a site route; one kind of each group is enough.

    An existing company needs no new registration, a service without a site no filing and no site proof; only
    where something was built must its completion be accepted (2-domain 2.1, 2.2).
    """
    groups = []
    for group in BY_ACTION[action].evidence:
        if group == ("site_proof",):
            group = SITE_PROOF.get(route or "", ())
        if group == ("company_registration",) and not needs_registration:
            continue
        if group == ("project_filing",) and route == "no_site":
            continue
        if group == ("completion_acceptance",) and route not in BUILT_ROUTES:
            continue
        if group:
            groups.append(group)
    return groups


def stage_before(stage: str) -> tuple[str, ...]:
    """The stages below this one, lowest first."""
    return STAGE_NAMES[: RANK[stage] - 1]


def furthest(stages: object) -> str | None:
    """The furthest of some stages; None of none."""
    return max(stages, key=RANK.__getitem__, default=None)  # type: ignore[call-overload, no-any-return]


def milestone_of(stage: str) -> str | None:
    """The milestone that a move into this stage writes."""
    return BY_STAGE[stage].milestone


def check_sql(column: str) -> str:
    """The database CHECK for a stage column."""
    return f"{column} IN ({', '.join(repr(name) for name in STAGE_NAMES)})"
