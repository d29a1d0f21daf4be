"""Does a text tell of a substantive start (实质性开工), or only of what comes before it? Pure; words, no judgement of stages.

Survey, design, demolition, levelling, roads, fences and a foundation stone are no start (2-domain 2.1). Whoever also names
permanent work that is under way or done tells of one; work that is denied or lies ahead does not count.
"""

from __future__ import annotations

import re
import unicodedata

GROUND, PERMANENT = "ground", "permanent"
LONGEST = 2_000
"""Characters of a text that are looked at."""

_GROUND = re.compile(
    r"奠基|平整|场平|平场|三通一平|五通一平|七通一平|强夯|进场|围挡|围墙|围栏|勘察|勘探|勘测|地勘|测绘|测量|放线|拆除|拆迁|拆旧|征拆|清表|清场|"
    r"临时道路|施工便道|便道|临建|临时设施|临时板房|活动板房|设计(?!产能|年产|能力|生产)|规划图|施工图"
)
_PERMANENT = re.compile(
    r"(?:桩基|打桩|试桩|灌注桩|静压桩|管桩|压桩|基坑|开槽|地基(?!勘)|基础(?:施工|浇筑|浇灌|开挖|工程|混凝土|承台|完成|完工|已|正在|建设)|承台|地梁|筏板|浇筑|浇灌|"
    r"主体|钢结构|钢柱|钢梁|吊装|封顶|砌体|砌筑|屋面|内外墙|装修|装饰|厂房(?:施工|建设|在建|建成)|车间(?:施工|建设|在建|建成)|"
    r"设备(?:正在|已|开始|进场)*(?:安装|调试)|安装(?:生产)?设备|生产线(?:正在|已|开始)*(?:安装|调试)|试生产|试产|试运行|建成|竣工)"
    r"(?!.{0,6}(?:设计|图纸|施工图|招标|方案|做准备|作准备|准备工作|许可|手续|勘察|测量|放线))"
)
_CLAUSES = re.compile(r"[，。；、,;.!！？?\s]+")
_AHEAD = re.compile(
    r"未|尚|没有|没能|无法|不能|暂不|不具备|即将|将于|将在|将要|将进|将开|拟|(?<!按)(?<!原)计划|预计|争取|力争|准备|筹备|等待|待|下一步|下步|确保|努力|有望|可望"
)


def work_in(text: str) -> str | None:
    """PERMANENT when a text names permanent work under way or done, else GROUND when it names what is no start, else None.

    完成场地平整，正在进行桩基施工 is PERMANENT; 举行奠基仪式，即将进行基础施工 is GROUND; 已开工建设 is None.
    """
    folded = unicodedata.normalize("NFKC", text[:LONGEST])
    for clause in _CLAUSES.split(folded):
        for found in _PERMANENT.finditer(clause):
            if not _AHEAD.search(clause[: found.start()]):
                return PERMANENT
    return GROUND if _GROUND.search(folded) else None
