"""THE COLUMNS of a ledger: import, export and template share this table (domain 2.7), in the order offices keep.

A bureau that writes another header adds an alias: `Names.extended({"amount": ["意向投资"]})`; nothing else has to change. Aliases are
compared after folding (full width, blanks, line breaks, brackets and units go), so `协 议\\n总投资（万元）` is `协议总投资`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

TEXT, MONEY, DATE, AREA, STAGE, AGREEMENT, CODE = "text", "money", "date", "area", "stage", "agreement", "code"


@dataclass(frozen=True)
class Column:
    """`title` as exported; `unit` of the export; `kind` says how a cell is read; the title is always an alias of itself."""

    field: str
    title: str
    kind: str = TEXT
    unit: str = ""
    aliases: tuple[str, ...] = ()
    pattern: str = ""
    """A regular expression on the folded header, for what no list of aliases would end."""


_TOWN_HEADER = (
    r"(?:所属|所在|所处|隶属|落户|落地|拟落户|拟落地|属地|责任|承接|申报|填报|报送|引进|招商|项目|签约|建设|各)*(?:的)?"
    r"(?:县区|区县|镇|乡|乡镇|镇乡|镇街|街镇|镇区|镇办|乡镇街道|镇街道|镇乡街道|街道|园区|乡镇园区|镇街园区|镇园区)(?:单位|名称|政府|街道|办事处|园区|地)*"
)


def _c(field: str, title: str, aliases: str = "", kind: str = TEXT, unit: str = "", pattern: str = "") -> Column:
    return Column(field, title, kind, unit, tuple(aliases.split()), pattern)


COLUMNS: tuple[Column, ...] = (
    _c("seq", "序号", "编号 项次 NO No. 顺序号"),
    _c("project_no", "项目编号", "项目序号 台账编号 系统编号 项目ID 项目号 入库编号"),
    _c("town", "镇区",
       "乡镇 镇 乡镇街道 镇街 镇办 街道 所属区县 所属乡镇 所属镇区 所属镇街 责任主体 单位 申报单位 填报单位 上报单位 招商单位 "
       "落地镇区 落户镇区 落户乡镇 落户地 落户地点 属地 属地单位 县区 区县 县市区 园区 镇区园区 镇街园区 乡镇园区 所在乡镇 "
       "所在镇街 所在镇区 责任乡镇 承接单位 承接地 区域 板块 地区 乡镇场 拟落户地 拟落地镇区 落户单位 项目属地 镇街道 乡镇园区名称",
       pattern=_TOWN_HEADER),
    _c("project_name", "项目名称",
       "项目 名称 工程名称 签约项目名称 签约项目 招商项目名称 招商项目 项目全称 投资项目 投资项目名称 在谈项目名称 "
       "开工项目名称 引进项目 引进项目名称 项目及建设内容名称 重点项目名称 洽谈项目名称 意向项目名称", pattern=r".{0,6}项目名称?"),
    _c("investor", "投资方",
       "外来投资方 投资企业 投资单位 投资主体 投资商 投资人 投资者 客商 客商名称 投资方名称 投资企业名称 企业名称 投资公司 "
       "合作企业 签约企业 签约企业名称 乙方 签约方 签约单位 引进企业 业主 业主单位 项目业主 项目单位 投资方企业 投资方公司 "
       "建设单位 意向客商 意向企业 意向投资方 意向投资企业 投资客商 外来客商 来访企业 洽谈企业 签约客商 合作方 合作单位 引资单位 "
       "意向方 拟投资方 拟投资企业 意向投资单位 外商名称 外方投资者 投资企业全称 客商单位 投资方全称 企业 签约主体"),
    _c("industry", "产业类别",
       "产业 行业 产业类型 行业类别 行业类型 所属产业 所属行业 产业分类 项目类别 项目类型 类别 产业链 所属产业链"),
    _c("agreement", "协议类型",
       "合同类型 协议性质 签约类型 合同性质 协议类别 签约形式 签约方式 协议合同类型 合同类别 协议名称 协议形式 "
       "正式合同框架协议 框架协议正式合同 合同框架协议 协议合同 是否正式合同 是否框架协议", AGREEMENT),
    _c("needs_new_land", "是否新供地", "新供地 是否供地 是否需要供地 是否新增用地 供地方式 用地方式"),
    _c("signed_date", "签约时间",
       "签约日期 合同签约时间 合同签订时间 合同签订日期 签订时间 签订日期 协议签订时间 协议签约时间 正式签约时间 "
       "正式合同签订时间 实际签约时间 实际签约日期 签约年月 签约 项目签约时间 签约登记时间 签约年月日", DATE),
    _c("amount", "协议总投资",
       "总投资额 计划总投资 计划总投资额 投资额 总投资 投资总额 签约总投资额 签约总投资 协议投资额 协议投资 合同投资额 "
       "合同总投资 签约金额 协议金额 合同金额 项目总投资 项目投资额 投资金额 签约投资额 协议投资总额 投资规模 总投资金额 "
       "计划投资 计划投资额 意向投资额 拟投资额 拟总投资 预计总投资 预计投资额 签约额 协议资金 合同引资额 协议引资额 "
       "投资 总额 投资情况 投资总规模 总投资规模 项目总投资额 计划总投资金额 合同总投资额 协议总投资额 引资额 引进资金 合同额 "
       "项目投资 项目投资总额 拟投资 拟投资金额 拟投资规模 投资总金额 总投资概算 概算总投资 估算总投资 投资概算", MONEY, "万元"),
    _c("fixed_asset_amount", "固定资产投资",
       "固定资产投资额 固投 其中固定资产投资 其中固投 固定资产 固定资产总投资 其中固定资产", MONEY, "万元"),
    _c("funds_in_place", "到位资金",
       "投资方实际到资额 实际到位资金 到资额 到资 到位资金额 资金到位 累计到位资金 实际到资 实际到资额 已到位资金 到位内资 "
       "实际到位内资 到位额 资金到位额 累计到资 实际到位 到位 资金到位情况 到位情况 累计到资额 "
       "到位市外资金 到位县外资金 到位省外资金", MONEY, "万元"),
    _c("land_mu", "用地面积",
       "占地面积 土地面积 供地面积 用地 占地 用地规模 占地规模 用地需求 用地亩数 拟用地面积 计划用地 "
       "需用地面积 拟用地 拟供地 用地情况面积 土地情况面积 供地情况面积 用地面积情况 拟用地规模 用地面积需求", AREA, "亩"),
    _c("leased_sqm", "租赁面积", "厂房面积 租赁厂房面积 租用面积 租用厂房面积 建筑面积 厂房租赁面积", AREA, "㎡"),
    _c("company", "注册公司", "注册公司名称 注册企业 注册企业名称 项目公司 项目公司名称 公司名称 新注册公司 注册名称 落地公司 落户企业"),
    _c("credit_code", "统一社会信用代码", "信用代码 社会信用代码 统一信用代码 组织机构代码 营业执照号", CODE),
    _c("registered_date", "注册时间", "注册日期 公司注册时间 工商注册时间 企业注册时间 注册登记时间 公司注册日期", DATE),
    _c("project_code", "项目代码", "备案代码 立项代码 备案编号 备案证号 项目备案代码 投资项目代码", CODE),
    _c("filed_date", "备案时间", "立项时间 备案日期 立项备案时间 项目备案时间 备案立项时间 立项日期", DATE),
    _c("site_date", "供地/厂房落实时间",
       "供地时间 厂房落实时间 落地时间 摘牌时间 土地摘牌时间 用地落实时间 拿地时间 供地日期 落地日期 土地出让时间 "
       "供地厂房落实时间", DATE),
    _c("start_date", "实质性开工时间",
       "开工时间 开工 开工日期 实际开工时间 实质开工时间 动工时间 开工建设时间 实质性开工日期 开工年月", DATE),
    _c("planned_finish", "计划竣工时间",
       "预计竣工时间 竣工时间 计划竣工日期 计划完工时间 预计完工时间 拟竣工时间 计划建成时间 预计建成时间", DATE),
    _c("operating_date", "投产时间",
       "投产 投产日期 实际投产时间 竣工投产时间 投产运营时间 投入运营时间 达产时间 运营时间 建成投产时间", DATE),
    _c("stage", "当前阶段",
       "状态 项目状态 项目阶段 阶段 所处阶段 目前阶段 现阶段 进展阶段 当前状态 推进阶段 建设阶段 项目进度阶段 进展状态 "
       "目前状态 项目所处阶段 推进状态", STAGE),
    _c("signal", "亮灯", "红黄绿灯 预警 亮灯情况 灯号 预警等级 预警情况"),
    _c("progress", "目前进展",
       "项目进展情况 进展 项目动态 工作开展情况 进展情况 项目进展 推进情况 目前进展情况 最新进展 工作进展 当前进展 进度 "
       "项目进度 形象进度 项目推进情况 工作进展情况 建设进度 建设进展 当前进展情况 具体进展 洽谈情况 洽谈进展 目前情况 "
       "进度情况 落实情况 最新进展情况 履约情况 项目最新动态 最新动态 目前形象进度 当前形象进度 项目现状 现状 工作动态 "
       "项目最新进展 推进进展 进展说明 目前工作进展 项目建设进展情况 建设情况",
       pattern=r"(?:项目|工作|目前|当前|最新|具体|推进|建设|形象|洽谈|实施|近期|现阶段|本月|本周|本期|本季度|的)*(?:进展|进度|动态)(?:情况|状况|说明)?"
       r"|(?:目前|当前|现在|最新)(?:的)?(?:项目)?(?:情况|状况)"),
    _c("problem", "存在问题",
       "问题 困难 存在困难 问题困难 存在的问题 主要问题 困难问题 存在问题及困难 需协调解决的问题 需协调问题 需协调事项 "
       "存在困难和问题 堵点 未开工原因 未投产原因 未落地原因 未履约原因"),
    _c("next_step", "下步计划",
       "下一步计划 下一步工作 下步打算 下一步工作计划 下步工作计划 下步工作 下一步打算 工作计划 下步措施 下一步举措"),
    _c("resp_unit", "责任单位", "牵头单位 跟踪单位 负责单位 服务单位 行业主管部门 主管部门 责任部门 牵头部门 跟进单位 招商责任单位"),
    _c("resp_leader", "责任领导", "牵头领导 牵头县领导 分管领导 负责领导 责任县领导"),
    _c("owner", "责任人",
       "经办人 联系人 跟踪人 具体责任人 跟踪责任人 项目责任人 负责人 项目负责人 招商责任人 具体负责人 跟进人 对接人 招商负责人 项目联系人"),
    _c("liaison_leader", "包联领导", "包保领导 挂钩领导 联系领导 挂联领导 县级包联领导 包抓领导 包联县领导 县级领导 挂包领导"),
    _c("introducer", "引荐单位", "引荐人 推荐单位 引进单位 招引单位 引荐方 中介"),
    _c("updated", "最近更新", "更新时间 更新日期 最近更新时间 填报时间", DATE),
    _c("remark", "备注", "说明 其他 备注说明"),
)  # fmt: skip

OTHERS: tuple[Column, ...] = (
    _c("registered_capital", "注册资本", "注册资金 注册资本金", MONEY, "万元"),
    _c("year_amount", "年度投资",
       "年度计划投资 本年计划投资 当年计划投资 年度投资额 今年计划投资 本年度计划投资 年度计划投资额 2026年计划投资", MONEY, "万元",
       pattern=r"(?:20\d\d年|本年|今年|当年|年度)(?:度)?计?划?(?:完成)?投资额?"),
    _c("invested", "完成投资", "累计完成投资 已完成投资 完成投资额 累计投资 累计完成投资额 实际完成投资 实际投资 已投资", MONEY, "万元"),
    _c("foreign_amount", "外资额",
       "外资 其中外资 其中利用外资 合同外资 利用外资 协议外资 外资金额 外币金额 合同利用外资 外币 外币投资", MONEY, "万美元"),
    _c("amount_unit", "金额单位",
       "币种 币别 货币 货币种类 货币单位 投资币种 金额币种 计量单位 总投资单位 投资额单位 "
       "计划总投资单位 协议总投资单位 投资总额单位 总投资币种"),
    _c("site", "建设地点", "建设地址 项目地点 项目地址 选址 落地园区 地点 项目选址 项目所在地 所在地 建设地"),
    _c("first_contact_date", "首次洽谈时间", "洽谈时间 首谈时间 初次洽谈时间 对接时间 接洽时间", DATE),
    _c("planned_start", "计划开工时间", "预计开工时间 拟开工时间 计划开工日期 预计开工日期", DATE),
    _c("planned_operation", "计划投产时间", "预计投产时间 拟投产时间 计划投产日期", DATE),
    _c("content", "建设内容",
       "项目内容 主要建设内容 建设规模 建设内容及规模 建设规模及内容 项目简介 项目概况 主要内容 建设内容和规模 "
       "主要建设内容及规模"),
    _c("has_registered", "是否注册", "注册情况 是否已注册 是否注册公司 是否注册落户"),
    _c("has_landed", "是否落地", "落地情况 是否已落地"),
    _c("has_started", "是否开工", "开工情况 是否已开工 是否实质性开工 是否动工"),
    _c("is_operating", "是否投产", "投产情况 是否已投产 是否运营"),
    _c("phone", "联系电话", "电话 联系方式 手机 手机号"),
    _c("origin", "投资方所在地", "资金来源地 来源地 客商来源 企业所在地 投资来源 资金来源"),
)  # fmt: skip
"""Known when read, not exported: their values stay beside the row."""

MARKS: tuple[Column, ...] = (_c("version", "版本", "版本号"), _c("row_mark", "行标识", "行标记"))
"""After the 35 of an export: which project a row is, and at which version it was written (row_marks.py)."""

ALL = COLUMNS + MARKS + OTHERS
FIELDS = tuple(column.field for column in COLUMNS + OTHERS)
"""What an alias may name; the marks of an export are not an office's to rename."""
BY_FIELD = {column.field: column for column in ALL}
DATE_PARTS = {"年": 0, "月": 1, "日": 2, "年份": 0, "月份": 1, "日期": 2, "号": 2, "year": 0, "month": 1, "day": 2}
"""A date in three columns: what stands in the lowest header row of each."""

_PIVOTED = ("计数项", "求和项", "平均值项", "最大值项", "最小值项", "countof", "sumof")
"""Headers of a pivot table count columns; they are none."""
_BRACKETS = re.compile(r"[(\[【〔{<《][^)\]】〕}>》]*[)\]】〕}>》]")
_NOISE = re.compile(r"[\s　*★☆#:：、,，.。;；/\\|\-—_·“”\"'‘’()\[\]【】]+")
_UNIT_TAIL = re.compile(
    r"(?:单位)?(?:亿美元|万美元|万欧元|万港元|万港币|亿元|万元|百万元|千元|公顷|平方米|万平方米|万㎡|㎡|亩|人民币|RMB)+$"
)


_ENGLISH = re.compile(r"(?<=[^\x00-\x7f])[a-z][a-z ]{2,}$")


def fold(header: str) -> str:
    """A header as it is compared."""
    return _fold(header[:300])


@lru_cache(maxsize=4096)
def _fold(header: str) -> str:
    text = unicodedata.normalize("NFKC", header)
    text = _NOISE.sub("", _BRACKETS.sub("", text)).casefold()
    return _UNIT_TAIL.sub("", text) or text


@dataclass(frozen=True)
class Names:
    """Folded alias → field, and patterns for the rest."""

    aliases: Mapping[str, str]
    patterns: tuple[tuple[re.Pattern[str], str], ...] = field(default=())

    def field_of(self, header: str) -> str | None:
        """The field of a header as written, or None."""
        folded = fold(header)
        if not folded or folded.startswith(_PIVOTED):
            return None
        if found := self.aliases.get(folded):
            return found
        if found := next((name for pattern, name in self.patterns if pattern.fullmatch(folded)), None):
            return found
        bare = _ENGLISH.sub("", folded)  # 项目名称 Project
        return self.aliases.get(bare) if bare != folded else None

    def extended(self, more: Mapping[str, Iterable[str]]) -> Names:
        """These and a bureau's own, which win. ValueError for a field that does not exist."""
        if unknown := [name for name in more if name not in BY_FIELD]:
            raise ValueError(f"没有这些字段：{'、'.join(unknown)}；可用的字段：{'、'.join(BY_FIELD)}")
        own = {fold(alias): name for name, aliases in more.items() for alias in aliases}
        return Names({**self.aliases, **own}, self.patterns)

    def spellings(self, name: str) -> frozenset[str]:
        """Ways in which the header of a field is likely written, blanks and breaks included: to find it fast among many cells."""
        words = [alias for alias, found in self.aliases.items() if found == name]
        apart = [gap.join(word) for word in words for gap in (" ", "  ", "　")]
        broken = [word[:place] + "\n" + word[place:] for word in words for place in range(1, len(word))]
        return frozenset((*words, *apart, *broken))


def _names() -> Names:
    aliases: dict[str, str] = {}
    for column in ALL:
        for alias in (column.title, *column.aliases):
            if alias.strip():
                aliases.setdefault(fold(alias), column.field)
    return Names(aliases, tuple((re.compile(column.pattern), column.field) for column in ALL if column.pattern))


NAMES = _names()
"""The names of 2.7 and those seen in real ledgers."""
