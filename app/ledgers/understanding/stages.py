"""Stage and agreement as a ledger claims them (rules 6-8): from their columns, else from the text; never higher than said.

尚未开工 and 即将开工 are not 开工; 开工手续 is paper. A framework agreement or an intent is not signed, whatever the stage column says.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from app.heart import starts
from app.heart.lifecycle import STAGE_NAMES
from app.ledgers.understanding.words import words

FORMAL, FRAMEWORK, INTENT_ONLY, UNKNOWN = "formal", "framework", "intent", "unknown"
NOT_SIGNED = (FRAMEWORK, INTENT_ONLY)
CANCELLED, PAUSED = "cancelled", "paused"
FIRST, SIGNED, LAND, STARTED, LAST = STAGE_NAMES
RANK = {stage: rank for rank, stage in enumerate(STAGE_NAMES)}

_CLAUSES = re.compile(r"[，。；、,;.!！\s]+|(?<=[地工约产册])(?=[未已])")
_NOT = re.compile(r"未|尚|没有|没能|无法|不能|不具备|暂不|暂无|无(?=签约|开工|投产)|否")
_LATER = re.compile(
    r"即将|将于|将在|将要|拟|计划|预计|争取|力争|准备|筹备|待|等待|确保|努力|有望|可于|可望|年内|下一步|下步|要求|目标|推动|推进|促进|加快|尽快|尽早|条件|前期|手续|办理|许可|审批|报批|仪式"
    r"|(?:[底末号年]|(?<!个)月|\d日)前(?=(?:可|能|实现|完成|全面|正式|全部)?(?:开工|动工|投产|竣工|签约|落地|封顶|完工|建成|试产|试生产|摘牌|供地|投入|达产))"
)
_UNDER_WAY = re.compile(r"正在|会签|起草|商谈|草拟|沟通")
"""Of a signing, a registration or a site: on the way, so not there. Building that is under way has begun."""
_CONTRACT = re.compile(
    r"正式(?:的)?(?:投资|项目|入园)?(?:合同|协议)(?!正在|待|拟|会签|签订中|谈判|洽谈|起草|草拟|文本)|投资合同(?!正在|待|拟|会签|谈判|洽谈|起草|草拟|文本)"
)
_FRAMEWORK = re.compile(
    r"(?<!主体)(?<!厂房)(?<!车间)(?<!钢)(?<!土)(?<!楼)框架(?!结构|施工|主体|柱|梁|楼|厂房|已?(?:完成|封顶|搭建|浇筑|建成)|搭|浇|建|基础)"
)
"""Of an agreement; 主体框架, 框架结构 are parts of a building."""
_TALKING = re.compile(r"谈|商|草拟|起草|对接|沟通|会签|推动|争取|就")
"""Of a contract: on the way to it."""
_ALREADY = re.compile(r"已|完成|正式|实现|顺利|全面|均|达到")

# The highest first. A clause that matches claims the stage, unless it is denied or lies ahead.
_CLAIMS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (LAST, re.compile(r"(?<!试)投产(?!品|后|前|时|日|条件)|投入(?:运营|生产|使用)|正式(?:运营|生产|营业)|"
        r"开业|正常(?:经营|生产|运营)|达产|达效|已运营|(?<!试)(?<!准备)运营中|营业中|规模化生产")),
    (STARTED, re.compile(
        r"开工(?!前|后|时|日|率|令|手续|条件|许可|报告|准备)|动工(?!前|后|时)|在建|续建|建设中|主体施工|主体完工|主体框架|主体建设|主体工程|封顶|竣工|已建成|建成(?!后)|完工|基础施工|基础浇灌|基础浇筑|桩基|设备安装|安装设备|设备调试|"
        r"内部装修|厂房装修|装修中|钢结构|试生产|试产|试运行|正在施工|正在建设|施工中|停工|复工|厂房建设")),
    (LAND, re.compile(
        r"摘牌|招拍挂(?:已|工作已|手续已)?完成|完成.{0,6}招拍挂|土地(?:证|手续)?已|(?:已|完成|取得).{0,6}(?:供地|土地证|土地使用权|不动产权证|用地规划许可)|供地(?:已)?完成|已拿地|落地(?!前|后|推进)|落户(?!后)|"
        r"(?:租赁|厂房).{0,6}(?:已签|签订|落实|到位)|土地出让合同|报批")),
    (SIGNED, re.compile(r"签约|已签(?!.{0,6}(?:框架|意向))|签订.{0,8}(?<!框架)(?<!意向)(?<!战略合作)(?:合同|协议)|"
        r"正式合同|注册|备案|立项|征地|征迁|能评|环评|设计|规划")),
    (FIRST, re.compile(r"意向|在谈|洽谈|对接|接洽|考察|框架|谈判|磋商|线索|跟踪|签约")),
)  # fmt: skip
_SIGNING = re.compile("[签约]|合同|协议")
_COLUMN_WORDS = {
    **dict.fromkeys(words(
        "意向 在谈 洽谈 意向书 意向协议 洽谈中 在谈项目 意向项目 正在洽谈 对接中 对接 线索 跟踪 考察 接洽 拟签约 待签约 "
        "即将签约 框架协议 框架"), FIRST),
    **dict.fromkeys(words(
        "签约 已签约 注册 已注册 备案 已备案 签约项目 已签 正式签约 签约注册 立项 已立项 履约 签约未落地 签约未开工 "
        "已签约未开工 见证签约 新签约 前期 前期工作 已签约未落地 签约待开工 拟开工 待开工 未开工 筹建 前期手续"), SIGNED),
    **dict.fromkeys(words(
        "落地 报批 已落地 落户 已落户 供地 已供地 拿地 已拿地 摘牌 已摘牌 落地未开工 已落地未开工"), LAND),
    **dict.fromkeys(words(
        "开工 已开工 竣工 已竣工 在建 建设 建设中 续建 开工在建 新开工 动工 已动工 开工建设 在建项目 正在建设 施工 "
        "施工中 建成 已建成 完工 已完工 试生产 试产 试运行 停工"), STARTED),
    **dict.fromkeys(words(
        "投产 已投产 运营 已运营 投产运营 竣工投产 达产 已达产 投入运营 营业 已营业 开业 建成投产 投产达效 正式运营 "
        "达产达效 生产"), LAST),
}  # fmt: skip
NO_STAGE = "无有效阶段"
"""What an export says of a project whose every stage was returned or voided: neither its text nor its dates claim one."""
_NO_STAGE = NO_STAGE.removesuffix("阶段")
_UNCLEAR_COLUMN = frozenset(words("见证签约 履约 前期 前期工作 筹建 前期手续 拟开工 待开工 未开工"))
"""Taken as signed at most, and only with a word of caution."""

_GONE = re.compile(
    r"(?:因.{1,20})?(?:[该本此])?(?:项目|投资方|企业|双方|合同|协议)?(?:已经|已|拟)?(?:取消|终止|解约|解除|注销|流产|退出|撤资|作废|撤销|中止合作|放弃)(?:了)?(?:投资|项目|合作|合同|协议|签约|投资计划|计划|投资意向|落户)*(?:了)?"
)
_PAUSED = re.compile(
    r"(?:[该本此])?(?:项目|投资方|企业|建设)?(?:因.{1,20})?(?:项目|建设)?(?:已经|已)?(?:暂缓|暂停|搁置|缓建|中止)(?:了)?(?:投资|项目|建设|推进|实施|签约)*"
)


class Claim(NamedTuple):
    """What a text says: the stage or None, `denied` stages, a side state, and marks."""

    stage: str | None = None
    side: str | None = None
    marks: tuple[str, ...] = ()
    denied: frozenset[str] = frozenset()


NOTHING = Claim()
EVERY = frozenset(STAGE_NAMES)
"""Denied by NO_STAGE."""


def folded(text: str) -> str:
    """Full width, blanks and breaks gone."""
    return "".join(unicodedata.normalize("NFKC", text[:2_000]).split())


def read_stage(text: str) -> Claim:
    """A cell of the stage column."""
    word = re.sub(r"[()（）【】\[\]“”\"]|阶段$|项目$", "", folded(text)) or folded(text)
    if not word:
        return NOTHING
    side = side_state(word) or (CANCELLED if re.search(r"(?<!未)(?:取消|终止|解约|退出|流产)", word) else None)
    if word.startswith(_NO_STAGE):
        return Claim(None, side, (), EVERY)
    if word in _COLUMN_WORDS:
        marks = ("agreement_unclear",) if word in _UNCLEAR_COLUMN else ("trial_only",) if word.startswith("试") else ()
        return Claim(_COLUMN_WORDS[word], side, marks)
    claim = read_text(text)
    if claim.stage is None and side is None and claim.side is None:
        return Claim(None, None, ("stage_unknown",), claim.denied)
    return claim._replace(side=claim.side or side)


_HEADING = re.compile(r"^(?:第?[一二三四五六七八九十]+[、.．是]?|[(（][一二三四五六七八九十\d]+[)）]|\d+[、.．])")
_LONGEST_HEADING = 40
_HEADED = re.compile(r"(?:[类表]|项目|清单|名单|明细|情况|台账|一览)+$")


def heading_stage(text: str) -> str | None:
    """The stage of the projects under a heading that is nothing but that: 二、已开工项目（3个）. Not 2026年签约项目推进情况表."""
    if len(text) > _LONGEST_HEADING:
        return None
    word = re.sub(r"[(（][^()（）]*[)）]|[:：]", "", _HEADING.sub("", folded(text)))
    word = _HEADED.sub("", word)
    return None if word in _UNCLEAR_COLUMN else _COLUMN_WORDS.get(word)


def read_text(text: str) -> Claim:
    """A text of progress: the furthest stage it claims."""
    best: str | None = None
    denied: set[str] = set()
    trial = False
    for clause in _CLAUSES.split(unicodedata.normalize("NFKC", text[:2_000])):
        if not clause:
            continue
        for stage, pattern in _CLAIMS:
            found = pattern.search(clause)
            if not found:
                continue
            before = clause[: found.start()]
            if stage not in (STARTED, FIRST) and _UNDER_WAY.search(clause):
                continue
            if stage == SIGNED and not _SIGNING.search(found[0]) and (_NOT.search(before) or _LATER.search(clause)):
                continue  # a company not registered yet is no contract that was not signed
            if _NOT.search(before) or clause[found.end() : found.end() + 2] in ("不了", "未果"):
                denied.add(stage)
                continue
            ahead = _LATER.search(clause)
            if ahead and not (ahead.start() >= found.start() and _ALREADY.search(before + found[0])):
                denied.add(stage)
                continue
            if best is None or RANK[stage] > RANK[best]:
                best = stage
                trial = found[0].startswith("试")
            break
    return Claim(best, side_state(text), ("trial_only",) if trial and best == STARTED else (), frozenset(denied))


def side_state(text: str) -> str | None:
    """cancelled or paused when a whole clause says so."""
    for clause in _CLAUSES.split(text[:2_000]):
        if _GONE.fullmatch(clause) and "拟" not in clause:
            return CANCELLED
        if _PAUSED.fullmatch(clause):
            return PAUSED
    return None


def not_substantive(text: str) -> bool:
    """The text tells of ground work only, for a project recorded as started."""
    return starts.work_in(text) == starts.GROUND


def read_agreement(text: str) -> str | None:
    """A cell of the agreement column: formal, framework, intent, unknown; None when it is empty."""
    word = folded(text)
    if not word or word in ("/", "-", "—", "无"):
        return None
    if re.search(r"意向|备忘录", word):
        return INTENT_ONLY
    if re.search(r"框架|战略", word):
        return FRAMEWORK
    if re.search(r"正式|合同|投资协议|入园协议|项目协议|入驻协议|租赁协议|合作协议|出让协议|补充协议", word) or word in ("协议", "正式"):
        return FORMAL
    return UNKNOWN


def agreement_of_text(text: str) -> str | None:
    """framework or intent when a text tells of that and of no formal contract; else None."""
    word = folded(text)
    framework = _FRAMEWORK.search(word)
    if not (framework or re.search(r"意向(?:书|协议|合同)", word)) or re.search(r"未.{0,4}框架", word):
        return None
    for clause in _CLAUSES.split(word):
        found = _CONTRACT.search(clause)
        before = clause[: found.start()] if found else ""
        if found and not _NOT.search(before) and not _LATER.search(before) and not _TALKING.search(before):
            return None
    return FRAMEWORK if framework else INTENT_ONLY
