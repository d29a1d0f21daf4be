"""What happens in the demo county: how many projects of which kind, each told by one plot.

Plots that stall take their dates from the rules' default limits, so that every rule shows at every level whatever the day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from app.demo import cast
from app.demo.story import Story, Teller
from app.heart import lifecycle, rules
from app.heart.facts import EVIDENCE
from app.heart.limits import cutoff
from app.projects.store import New

USUAL_ROUTES = (
    ("new_land_existing_quota",) * 5
    + ("new_land_new_quota",) * 3
    + ("leased",) * 6
    + ("purchased",) * 2
    + ("existing_site",) * 2
    + ("no_site",) * 2
)
BUILDING_ROUTES = ("new_land_existing_quota", "new_land_new_quota", "leased", "purchased")
SLOW_TOWNS = (2, 6, 6, 9, 9, 9)
"""Some towns sign at an event and then nothing follows."""


def basis(teller: Teller, rule: str, level: str, days_over: int) -> date:
    """The basis that lets a rule reach a level that many days before today (negative: after today)."""
    limit = getattr(rules.default_limits(rules.BY_NAME[rule], None), level)
    return cutoff(limit, teller.ago(days_over))


def stories(teller: Teller) -> list[Story]:
    """Every project of the county, in the order of registration."""
    names = [(trade, word, product) for trade in cast.TRADES for product in trade.products for word in cast.INVESTOR_WORDS]
    teller.dice.shuffle(names)
    pool = iter(names)
    told = [story for plot in PLOTS for story in plot(teller, pool)]
    return sorted(told, key=lambda story: (story.begun, story.number))


Names = Iterator[tuple[cast.Trade, str, str]]


def opened(teller: Teller, names: Names, begun: date, route: str | None = "any", slow: bool = False, orphan: int | None = None) -> Story:
    """A registered project: town, clerk, name, money; `orphan` is an owner who has left."""
    dice = teller.dice
    trade, word, product = next(names)
    town = teller.towns[dice.choice(SLOW_TOWNS) if slow and dice.random() < 0.7 else dice.randrange(len(teller.towns))]
    route = dice.choice(USUAL_ROUTES) if route == "any" else route
    teller.number += 1
    yuan, currency = dice.choice(cast.CONTRACT_YUAN), "CNY"
    if teller.number % 50 == 7:
        yuan, currency = yuan // 10, "USD"
    story = Story(teller, town, route, yuan * 100, currency, dice.choice(town.clerks), teller.number)
    existing = route == "existing_site"
    story.register(
        begun,
        name=f"示例{word}{product}{'技改' if existing else ''}项目",
        investor=f"示例{word}{trade.investor}有限公司",
        industry=trade.industry,
        credit_code=cast.credit_code(500_000 + teller.number) if existing else None,
        owner=orphan or story.clerk.person_id,
    )
    return story


def events_before(teller: Teller, day: date) -> tuple[date, str | None]:
    """The signing event shortly before a day, most of the time; else the day itself."""
    near = [(on, name) for on, name in teller.events if 0 <= (day - on).days <= 40]
    return near[0] if near and teller.dice.random() < 0.6 else (day, None)


def signed(
    teller: Teller,
    names: Names,
    on: date,
    event: str | None = None,
    route: str | None = "any",
    slow: bool = False,
    orphan: int | None = None,
) -> Story:
    """A project with a formal contract, and what led to it."""
    lead = teller.between(20, 110)
    story = opened(teller, names, on - timedelta(days=lead), route, slow, orphan)
    if lead > 60:
        framework(story, on - timedelta(days=lead // 2))
    story.call(on - timedelta(days=lead // 3))
    start = on + timedelta(days=teller.between(80, 200))
    story.sign(on, event=event, start=start, operation=start + timedelta(days=teller.between(200, 540)))
    return story


def framework(story: Story, day: date) -> None:
    """A framework agreement: evidence that leaves the project in intent."""
    row = {"kind": "framework_agreement", "number": f"KJ-{day.year}-{story.number:03d}", "dated_on": day.isoformat()}
    story.tell(day, [New(EVIDENCE, day, {"evidence": [row], "recognition": "claimed"})])


def talk(story: Story, texts: tuple[str, ...], days: int = 75) -> None:
    """Follow-ups and reports of the last weeks: words, and once "no change"."""
    teller = story.teller
    latest = teller.between(3, 20)
    for back, text in zip(range(latest, days, 24), (teller.dice.choice(texts), None, *texts), strict=False):
        if teller.ago(back) > story.begun:
            story.report(teller.ago(back), text)
    story.call(max(story.begun, teller.ago(teller.between(2, 25))))


def travelled(teller: Teller, names: Names, upto: str, spare: tuple[int, int], route: str | None = "any") -> Story:
    """A project on its way: signed long enough ago to have reached `upto` that many days before today."""
    route = teller.dice.choice(USUAL_ROUTES) if route == "any" else route
    built = route in lifecycle.BUILT_ROUTES
    company = teller.between(5, 18)
    filing = company + teller.between(4, 16)
    land = filing + (teller.between(18, 50) if built else teller.between(4, 20))
    start = land + teller.between(20, 60)
    operation = start + (teller.between(240, 420) if built else teller.between(80, 190))
    needed = {"land": land, "construction": start, "operating": operation}[upto]
    on, event = events_before(teller, teller.ago(needed + teller.between(*spare)))
    story = signed(teller, names, on, event, route)

    def after(days: int) -> date:
        return on + timedelta(days=days)

    if route != "existing_site":
        story.registered(after(company))
    if route != "no_site":
        story.filed(after(filing))
    story.land(after(land))
    if upto == "land":
        story.fund(after(land), teller.between(2, 10))
    else:
        if built:
            story.milestone("eia_approved", after((land + start) // 2), [("eia_approval", f"HP-{story.number:03d}")])
        story.start(after(start))
        story.fund(after(start), teller.between(10, 25))
        steps = (("main_structure_capped", 0.45), ("equipment_installed", 0.75), ("trial_production", 0.92))
        for name, share in steps:
            day = after(start + int((operation - start) * share))
            if day < teller.ago(8) and (built or name != "main_structure_capped"):
                story.milestone(name, day)
                story.fund(day, int(20 + 70 * share))
        if upto == "operating":
            story.operate(after(operation))
            if after(operation + 30) < teller.today:
                story.milestone("statistics_enrolled", after(operation + 30))
    if teller.dice.random() < 0.5:
        story.call(after(needed // 2))
    return story


# plots: each yields stories ---------------------------------------------------------------------------


def finished(teller: Teller, names: Names) -> Iterator[Story]:
    for _ in range(52):
        yield travelled(teller, names, "operating", (5, 330))


def building(teller: Teller, names: Names) -> Iterator[Story]:
    for number in range(48):
        story = travelled(teller, names, "construction", (6, 190))
        talk(story, cast.BUILDING_TEXTS)
        if number % 12 == 0:
            story.amend(
                teller.ago(teller.between(3, 30)),
                "设备供货延期，双方补充协议约定",
                planned_operation_on=(teller.today + timedelta(days=150)).isoformat(),
            )
        yield story


def landed(teller: Teller, names: Names) -> Iterator[Story]:
    for _ in range(26):
        story = travelled(teller, names, "land", (4, 80))
        talk(story, cast.LAND_TEXTS, 40)
        yield story


def moving(teller: Teller, names: Names) -> Iterator[Story]:
    """Signed and going on as it should."""
    for _ in range(10):
        on = teller.ago(teller.between(1, 17))
        yield signed(teller, names, on)
    for _ in range(14):
        on, event = events_before(teller, teller.ago(teller.between(24, 44)))
        story = signed(teller, names, on, event, teller.dice.choice(BUILDING_ROUTES))
        story.registered(on + timedelta(days=teller.between(6, 16)))
        story.filed(teller.ago(teller.between(2, 16)))
        talk(story, cast.SIGNED_TEXTS, 20)
        yield story


def wishes(teller: Teller, names: Names) -> Iterator[Story]:
    """Intents: some talked about, some with a framework agreement, which is not a signing."""
    for number in range(26):
        story = opened(teller, names, teller.ago(teller.between(3, 200)), None if number % 3 else "any")
        if number < 12:
            framework(story, max(story.begun, teller.ago(teller.between(2, 26))))
        talk(story, cast.INTENT_TEXTS, 60)
        yield story


def doomed(teller: Teller, names: Names) -> Iterator[Story]:
    """Endings of every kind, one reopened, pauses that run, run out, ran out, and were ended."""
    bureau_reasons = {"rescinded": "未按合同约定投入资金，双方解除合同", "withdrawn": "投资方调整布局，书面退出", "superseded": "并入同一投资方的二期项目",
                      "transferred": "按统一规划转由邻镇承接", "removed": "重复登记，移出台账"}  # fmt: skip
    for number, (kind, reason) in enumerate([*bureau_reasons.items()] * 2 + [("rescinded", bureau_reasons["rescinded"])] * 3):
        story = signed(teller, names, teller.ago(teller.between(120, 400)), slow=True)
        story.status("terminate", teller.ago(teller.between(5, 100)), termination=kind, reason=reason)
        if number == 1:
            story.status("reopen", teller.ago(4), reason="投资方补足资金，恢复合作")
        yield story
    reasons = (("等待省级用地指标下达", "government"), ("投资方融资到位前暂缓", "investor"), ("待双方商定用能方案", "both"))
    for number, until in enumerate((90, 60, 45, 30, 5, 2, -3, -9, -20)):
        story = signed(teller, names, teller.ago(teller.between(95, 160)), route="new_land_new_quota" if number % 2 else "any")
        reason, actor = reasons[number % 3]
        story.suspend(teller.ago(teller.between(25, 60)), teller.today + timedelta(days=until), reason, actor)
        yield story
    for _ in range(3):
        story = travelled(teller, names, "land", (70, 110), "leased")
        story.suspend(teller.ago(55), teller.ago(5), "投资方融资到位前暂缓", "investor")
        story.status("resume", teller.ago(12))
        story.fund(teller.ago(9), 15)
        yield story


def forgotten(teller: Teller, names: Names) -> Iterator[Story]:
    """Signed-then-stopped: at the last event, since long, and some whose owner has left."""
    on, event = teller.events[0]
    left = teller.towns[4].clerks[-1].person_id
    for number in range(9):
        story = signed(teller, names, on, event, slow=True)
        if number % 2:
            story.report(teller.ago(3), teller.dice.choice(cast.SIGNED_TEXTS))  # words keep no project from red
        yield story
    for number in range(10):
        story = signed(
            teller, names, basis(teller, "signed_no_progress", "red", 2 + number * 9), slow=True, orphan=left if number < 3 else None
        )
        story.call(teller.ago(teller.between(2, 30)))
        yield story
    for number in range(5):
        yield signed(teller, names, basis(teller, "signed_no_progress", "exit_review", 1 + number * 25), slow=True)
    for number in range(4):  # nobody told the site route: a data check
        yield signed(teller, names, teller.ago(15 + number * 12), route=None)


def late(teller: Teller, names: Names) -> Iterator[Story]:
    """Every rule at every level, and some that reach theirs in the coming days."""
    overs = {"yellow": (0, 2, 3), "red": (0, 4, 12), "exit_review": (0, 20, 60)}
    coming = (-1, -1, -2, -3)
    for level, days in overs.items():
        for over in (*days, *(coming if level != "exit_review" else (-1,))):
            story = opened(teller, names, basis(teller, "intent_no_progress", level, over), None)
            story.call(teller.ago(teller.between(1, 20)))
            yield story
            if over < 1:
                yield signed(teller, names, basis(teller, "signed_no_progress", level, over), slow=True)
            if over != -3:
                on = basis(teller, "signed_to_registered", level, over)
                story = signed(teller, names, on, route="leased")
                story.filed(max(on + timedelta(days=5), teller.ago(teller.between(6, 18))))
                yield story
            if over >= -2:
                on = basis(teller, "signed_to_filed", level, over)
                story = signed(teller, names, on, route=teller.dice.choice(BUILDING_ROUTES))
                story.registered(on + timedelta(days=teller.between(8, 20)))
                story.fund(teller.ago(teller.between(2, 9)), teller.between(3, 12))
                yield story


def waiting(teller: Teller, names: Names) -> Iterator[Story]:
    """Claims nobody has reviewed, claims returned, stages taken back, a typo voided."""
    for level, over in (("yellow", 0), ("yellow", 1), ("red", 0), ("red", 3), ("red", 8), ("yellow", -1), ("red", -1), ("yellow", -2)):
        told_on = basis(teller, "claim_waiting", level, over)
        story = travelled(teller, names, "land", (45, 70), teller.dice.choice(BUILDING_ROUTES))
        story.start(told_on - timedelta(days=2), review=None, recorded=told_on)
        yield story
    for number in range(7):  # the proofs come with the claim: until it is recognised only the claim ends the stop
        on = teller.ago(70 + 6 * number)
        story = signed(teller, names, on, route="leased", slow=True)
        proofs = [("company_registration", cast.credit_code(story.number)), ("project_filing", f"{on:%y%m}-999999-04-01-{story.number:06d}"),
                  ("lease_contract", f"ZL-{story.number:03d}")]  # fmt: skip
        told_on = teller.ago(3 if number < 3 else 20)
        claim = story.move("secure_land", told_on - timedelta(days=1), proofs=proofs, recorded=told_on)
        if number >= 3:
            story.review(claim, teller.ago(11), "租赁合同未盖章，备案代码与平台不符，请核实后重新上报")
        yield story
    for to, reason in (("land", "现场仅平整土地，未见永久性工程，不属于实质性开工"), ("signed", "供地合同已解除，退回签约阶段")):
        story = travelled(teller, names, "construction", (60, 90), "new_land_existing_quota")
        story.status("revert", teller.ago(14), to=to, reason=reason)
        yield story
    story = travelled(teller, names, "construction", (30, 60), "leased")
    typo = story.milestone("completion_accepted", teller.ago(6))
    story.void(typo, teller.ago(2), "日期与项目均填错")
    yield story


def odd(teller: Teller, names: Names) -> Iterator[Story]:
    """Real life: land before the contract, a stage never reported, a claim recognised without scoring."""
    for number in range(6):
        on = teller.ago(36 + 8 * number)
        story = opened(teller, names, on - timedelta(days=120), "new_land_existing_quota")
        story.registered(on - timedelta(days=80))
        story.filed(on - timedelta(days=60))
        story.land(on - timedelta(days=25), gap_reason="先供地后签约：正式合同条款仍在磋商")
        story.sign(on)
        if number > 1:
            story.milestone("eia_approved", teller.ago(4 + number), [("eia_approval", f"HP-{story.number:03d}")])
        yield story
    for number in range(3):
        on = teller.ago(70 + 20 * number)
        story = signed(teller, names, on, route="leased")
        story.registered(on + timedelta(days=9))
        story.filed(on + timedelta(days=20))
        claim = story.start(on + timedelta(days=35), review=None, gap_reason="承租厂房现成，落地手续补报中")
        story.review(claim, claim.recorded_on + timedelta(days=3), scored=number != 0)
        talk(story, cast.BUILDING_TEXTS, 40)
        yield story


PLOTS = (finished, building, landed, moving, wishes, doomed, forgotten, late, waiting, odd)
