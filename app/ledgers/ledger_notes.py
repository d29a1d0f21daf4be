"""The words beside an exported ledger: the heads of its columns, the sheet 说明, and how a blank template is filled in. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any, NamedTuple

from app.ledgers.columns import COLUMNS, MARKS, Column

HOW_TO = {
    "seq": "只作排序，不作编号",
    "project_no": "系统编号；新项目可留空，由系统编号；填了就不要再改",
    "town": "单位名称或编号；镇区自己填报时可留空",
    "project_name": "必填",
    "agreement": "正式合同才算签约；框架协议、意向书留在意向阶段",
    "needs_new_land": "是、否，或写明落地方式",
    "signed_date": "写 2026-03-15、2026年3月 或 2026年上半年：知道多细写多细",
    "amount": "按表头单位填数字；外币写明币种，如 9000万美元；未定写“待定”",
    "credit_code": "18 位",
    "project_code": "20 位，可带连字符",
    "planned_finish": "合同约定的竣工时间",
    "stage": "意向、签约、落地、开工、投产；暂停、终止写在后面，如“签约，暂停”",
    "signal": "由系统计算，填写无效",
    "progress": "写这一期的进展，同时改“最近更新”",
    "owner": "姓名与系统内人员一致时即为该项目责任人",
    "updated": "本期报告日期",
}
"""Column → how it is filled in, where its head does not say it."""
EXAMPLES: tuple[dict[str, Any], ...] = (
    {
        "seq": 1, "town": "示例1镇", "project_name": "年产5万吨锂电材料", "investor": "示例新材料有限公司", "industry": "新材料",
        "agreement": "正式合同", "needs_new_land": "是", "signed_date": date(2026, 3, 15), "amount": 12000,
        "fixed_asset_amount": 8000, "funds_in_place": 1500, "land_mu": 70, "company": "示例锂电有限公司",
        "registered_date": date(2026, 4, 2), "filed_date": "2026年4月", "planned_finish": "2027年上半年", "stage": "签约",
        "progress": "公司已注册，正在办理供地", "owner": "张某", "updated": date(2026, 5, 31),
    },
    {
        "seq": 2, "town": "示例2镇", "project_name": "智能装备", "investor": "示例装备公司", "agreement": "正式合同",
        "needs_new_land": "租赁厂房", "signed_date": "2025年第3季度", "amount": "9000万美元", "leased_sqm": 16000,
        "site_date": date(2025, 11, 1), "start_date": date(2026, 1, 8), "stage": "开工", "progress": "设备安装，完成60%",
        "updated": date(2026, 5, 31),
    },
    {
        "seq": 3, "town": "示例1镇", "project_name": "预制菜加工", "investor": "示例食品公司", "agreement": "框架协议",
        "signed_date": date(2026, 5, 6), "amount": "待定", "stage": "意向", "progress": "正在商谈正式合同",
        "updated": date(2026, 5, 31), "remark": "框架协议不算签约",
    },
)  # fmt: skip


class About(NamedTuple):
    """What the notes say of an export; `rows` is asked when its rows have been written."""

    as_of: date
    made_at: datetime
    asker: str
    rows: Callable[[], int]


def header(column: Column) -> str:
    """A column as exports head it."""
    if column in MARKS:
        return column.title + "（请勿修改）"
    return column.title + (f"（{column.unit}）" if column.unit else "")


def notes(about: About) -> Iterator[tuple[Any, ...]]:
    """The sheet 说明 of an export; read after its rows were written."""
    yield "台账导出", f"共 {len(COLUMNS)} 列，另有两列标识"
    yield "统计截止日", about.as_of
    yield "生成时间", about.made_at.isoformat(" ", "seconds")
    yield "导出范围", about.asker
    yield "项目数", about.rows()
    yield ()
    yield "金额", "协议总投资、固定资产投资、到位资金以万元计；外币写明币种，不折算"
    yield "日期", "按填报时的精确程度：2026-03-15、2026年3月、2026年第1季度、2026年上半年、2026年；阶段没有报日期的留空"
    yield "当前阶段", "截至统计截止日最远的有效阶段；“，暂停”“，终止”为项目状态；申报均被退回或作废的写“无有效阶段”"
    yield "亮灯", "截至统计截止日最严重的一项：红灯、黄灯、蓝灯、退出评估；推进中且无亮灯的为绿灯；由系统计算，导入时不读取"
    yield "目前进展、最近更新", "截至统计截止日最近一次报告的文字与日期"
    yield "版本、行标识", "请勿修改、请勿删除；可以排序、筛选、隐藏列。导入时凭它们认出项目和导出时的内容"
    yield "改好再导入", "只登记您改过的单元格；没有改动的文件再次导入，不产生任何变化"
    yield "冲突", "导出之后系统内也改了同一项的，逐行列出两边的内容，不会互相覆盖"
    yield "没有标识的行", "按项目编号、项目代码、信用代码或名称查找，整行按文件为准；新项目请在末尾添加，标识留空"
    yield "可选项", "协议类型、是否新供地、当前阶段、镇区可从下拉列表选择，也可以另填"


def guide() -> Iterator[tuple[Any, ...]]:
    """The sheet 说明 of a template: a column in each row, so that no reader takes the examples for projects."""
    yield "空白模板", "在“台账”表中填写，一个项目一行；本表的示例不会被导入"
    yield ()
    yield "栏目", "怎样填", "示例一", "示例二", "示例三"
    for column in COLUMNS:
        yield header(column), HOW_TO.get(column.field, ""), *(one.get(column.field) for one in EXAMPLES)
