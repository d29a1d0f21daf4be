"""How a project of the demo county goes along: registered, signed at an event, on its way, talked about.

Dates that must stall come from the rules' default limits (`basis`), so that a rule shows whatever the day is.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from app.demo import cast
from app.demo.story import Story, Teller
from app.heart import lifecycle, rules
from app.heart.facts import EVIDENCE
from app.heart.limits import cutoff
from app.projects.derived import New

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
    if orphan is not None:
        story.amend(teller.ago(cast.LEFT_DAYS_AGO), "责任人离岗", owner_left=True)
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


def monthly(story: Story, missed: bool) -> None:
    """The monthly report of the last months, nearly always in time: "no change". Some clerks have let the last ones pass."""
    teller = story.teller
    for back in range(2 if missed else 0, 5):
        month = (teller.today.replace(day=1) - timedelta(days=28 * back + 1)).replace(day=1) if back else teller.today.replace(day=1)
        day = min(month.replace(day=teller.between(12, 24)), teller.yesterday)
        if story.begun < day and day >= month:
            story.report(day, None)


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
