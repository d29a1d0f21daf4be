"""Who plays in the demo county: offices, people, investors and products. All invented; mail goes to a reserved domain."""

from __future__ import annotations

from typing import NamedTuple

COUNTY = ("C00", "示例县")
BUREAU = ("B00", "示例县招商局")
TOWNS = (
    "示例城关镇", "示例东镇", "示例西镇", "示例南镇", "示例北镇", "示例河口镇", "示例山前镇", "示例湖滨镇",
    "示例经济开发区", "示例高新园区", "示例物流园区", "示例农业园区",
)  # fmt: skip
SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"
MAIL = "luodi.example"

INVESTOR_WORDS = (
    "晨光",
    "远山",
    "长河",
    "北斗",
    "新禾",
    "明川",
    "启程",
    "青岚",
    "海拓",
    "中岳",
    "锦程",
    "云帆",
    "恒基石",
    "百川汇",
    "星野",
)


class Trade(NamedTuple):
    """An industry with what its projects make and what its investors are called."""

    industry: str
    investor: str
    products: tuple[str, ...]


TRADES = (
    Trade("新材料", "新材料", ("年产5万吨锂电材料", "年产2000万平方米隔膜", "高性能铝型材", "可降解包装材料", "碳纤维复合件")),
    Trade("装备制造", "装备", ("智能农机装配线", "精密减速器", "风电塔筒", "数控刀具", "冷链装备")),
    Trade("食品加工", "食品", ("茶叶精深加工", "预制菜中央厨房", "粮油加工", "果蔬冻干", "乳制品")),
    Trade("电子信息", "电子", ("车载线束", "显示模组", "传感器封装", "智能电表", "连接器")),
    Trade("生物医药", "药业", ("中药饮片", "医用敷料", "体外诊断试剂", "原料药中间体")),
    Trade("新能源", "能源", ("分布式光伏组件", "储能电池包", "换电站设备", "生物质颗粒")),
    Trade("现代物流", "供应链", ("冷链仓储", "电商分拨中心", "公铁联运仓")),
    Trade("文旅康养", "文旅", ("湖滨度假营地", "康养社区", "研学基地")),
)
CONTRACT_YUAN = tuple(million * 1_000_000 for million in (30, 50, 60, 80, 100, 120, 150, 200, 300, 500, 800, 1200))

INTENT_TEXTS = (
    "投资方来县考察选址，已交流用地与用能条件",
    "双方就投资强度和产值承诺第二轮磋商",
    "投资方内部立项中，预计下月回访",
    "正在比选两处地块",
)
SIGNED_TEXTS = ("正在核名并准备公司注册材料", "已提交备案申报材料，待补节能说明", "地块勘测定界完成，等待组卷", "投资方正在筹措首期资金")
LAND_TEXTS = ("正在办理规划许可和施工图审查", "地勘完成，施工单位招标中", "厂房改造方案已审定")
BUILDING_TEXTS = (
    "基础施工完成，开始主体",
    "主体施工至二层",
    "钢结构吊装过半",
    "主体封顶，设备已订购",
    "设备陆续到场安装",
    "正在调试生产线",
)
CALLS = (
    "电话了解进展，投资方表示按计划推进",
    "上门走访，协调水电接入",
    "组织部门协调会，梳理需办事项",
    "回访企业，送惠企政策",
    "陪同办理开户与税务登记",
)


def credit_code(number: int) -> str:
    """A well-formed 统一社会信用代码 that nobody holds: its region 999999 does not exist. The check character is GB 32100's."""
    alphabet, weights = "0123456789ABCDEFGHJKLMNPQRTUWXY", (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
    body = f"91999999MA{number:07d}"
    left = sum(alphabet.index(mark) * weight for mark, weight in zip(body, weights, strict=True)) % 31
    return body + alphabet[(31 - left) % 31]


LEFT_DAYS_AGO = 18
"""One clerk left so many days ago."""
