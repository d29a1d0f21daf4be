"""What happens in the demo county: how many projects of which kind, each told by one plot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from app.demo import cast
from app.demo.story import Story, Teller
from app.demo.ways import BUILDING_ROUTES, Names, basis, events_before, framework, monthly, opened, signed, talk, travelled


def stories(teller: Teller) -> list[Story]:
    """Every project of the county, in the order of registration."""
    names = [(trade, word, product) for trade in cast.TRADES for product in trade.products for word in cast.INVESTOR_WORDS]
    teller.dice.shuffle(names)
    pool = iter(names)
    told = [story for plot in PLOTS for story in plot(teller, pool)]
    for number, story in enumerate(told):
        monthly(story, missed=number % 11 == 3)
    return sorted(told, key=lambda story: (story.begun, story.number))


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
        if number % 12 == 5:  # the date agreed last has passed as well
            story.amend(teller.ago(45), "设备到货推迟，双方约定新的投产日期", planned_operation_on=teller.ago(number - 2).isoformat())
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
    bureau_reasons = {
        "rescinded": "未按合同约定投入资金，双方解除合同",
        "withdrawn": "投资方调整布局，书面退出",
        "superseded": "并入同一投资方的二期项目",
        "transferred": "按统一规划转由邻镇承接",
        "removed": "重复登记，移出台账",
    }
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
        story = signed(teller, names, basis(teller, "signed_no_progress", "exit_review", 1 + number * 25), slow=True)
        if number == 0:
            story.acknowledge(teller.ago(6), "signed_no_progress", "已约谈投资方，月底前完成公司注册", teller.today + timedelta(days=20))
        if number == 1:
            story.snooze(teller.ago(8), "signed_no_progress", "用地指标下月下达，届时再议", teller.today + timedelta(days=30))
        if number == 2:
            story.decide(teller.ago(5), "push_on", "投资方已承诺追加投资，继续推进", teller.today + timedelta(days=60))
        yield story
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
        proofs = [
            ("company_registration", cast.credit_code(story.number)),
            ("project_filing", f"{on:%y%m}-999999-04-01-{story.number:06d}"),
            ("lease_contract", f"ZL-{story.number:03d}"),
        ]
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
    for _ in range(2):  # land that lies idle long after the agreed start
        yield travelled(teller, names, "land", (500, 760), "new_land_existing_quota")
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
