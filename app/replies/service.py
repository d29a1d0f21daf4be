"""Opening a link and answering through it; the only writer of uses. The answer itself is a fact like any other.

Whoever holds a link acts as its addressee, as he is at that moment: the same rights, the same verbs of projects.service. The
project's lock puts two answers at once in a row; the second finds the first.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from app.errors import DomainError
from app.heart.facts import Fact
from app.heart.standing import standing_on
from app.offices.access import MAY, REPORT
from app.offices.desk import House, Work
from app.projects import service as projects
from app.projects import store
from app.projects.schemas import FollowUpIn, MilestoneIn, ReportIn
from app.projects.store import Head
from app.replies import links, queries, rules
from app.replies.links import Link, Undo
from app.replies.models import ReplyUse
from app.replies.queries import Addressee, Answered, Shown
from app.replies.schemas import Blocked, Faulty, FollowedUp, Given, NewDate, NothingNew, hash_of, understood

SOURCE = "reply_link"
"""How a fact says that it came through a link."""


class Refused(Exception):
    """Nothing is recorded, for one of rules.REASONS; `hint` says more than the table can."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason, self.hint = reason, hint


class Told(NamedTuple):
    """What a page has to show: whom it is for, which project, and what was recorded so far."""

    link: Link
    who: Addressee | None = None
    project: Shown | None = None
    before: Answered | None = None
    refused: Refused | None = None
    recorded: bool = False
    """Just now, by this request."""


def network_of(client: Any) -> str:
    """The network somebody calls from; "" when that is not known."""
    try:
        given: Any = ipaddress.ip_address(str(client[0]).partition("%")[0]) if client else None
    except ValueError:
        return ""
    given = getattr(given, "ipv4_mapped", None) or given
    return str(ipaddress.ip_network((given, 24 if given.version == 4 else 48), strict=False)) if given else ""


def show(house: House, token: str, network: str) -> Told | None:
    """Open a link; None when it is none of ours. Writes that it was opened and nothing else: mail scanners open links too."""
    link = links.signer(house.settings).unpack(token)
    if link is None:
        return None

    def opened() -> Told:
        with house.database.write() as connection:
            told = _seen(connection, house, link, token)
            used(connection, house, link, token, network, told.refused)
            return told

    return house.database.patiently(opened)


def _seen(connection: Connection, house: House, link: Link, token: str) -> Told:
    try:
        who = _addressee(connection, link, house.clock.today())
        project = queries.shown(connection, link.project_id, house.clock.today())
        if project is None or not (who.caller.covers(project.path) or link.person_id in project.people):
            raise Refused(rules.OUTSIDE)
    except Refused as refused:
        return Told(link, refused=refused)
    return Told(link, who, project, queries.answered(connection, links.hash_of(token)))


def somebody(connection: Connection, link: Link | Undo, today: date) -> Addressee:
    """The addressee while he is there and the link is good."""
    who = queries.addressee(connection, link.person_id)
    if who is None or (who.left_on is not None and who.left_on <= today):
        raise Refused(rules.LEFT)
    if today > link.last_day:
        raise Refused(rules.EXPIRED)
    return who


def _addressee(connection: Connection, link: Link, today: date) -> Addressee:
    """The addressee, if the link is still good for him to answer with."""
    who = somebody(connection, link, today)
    if who.caller.office_id != link.office_id:
        raise Refused(rules.MOVED)
    if REPORT not in MAY[who.caller.role]:
        raise Refused(rules.ROLE)
    return who


def answer(house: House, token: str, sent: Mapping[str, str], network: str, *, here: bool) -> Told | None:
    """Record one answer; None when the link is none of ours. `here` says that nothing speaks against the sender being our page."""
    link = links.signer(house.settings).unpack(token)
    if link is None:
        return None
    try:
        must_be_ours(house, token, sent, here)
        try:
            given = understood({name: value for name, value in sent.items() if name != "form"})
        except Faulty as faulty:
            raise Refused(rules.INVALID, str(faulty)) from faulty
        return house.database.patiently(lambda: _answered(house, link, token, given, network))
    except Refused as refused:
        return _refused(house, link, token, network, refused)
    except DomainError as error:  # the project's own rules
        if error.status >= 500:
            raise
        return _refused(house, link, token, network, Refused(rules.RULED_OUT, error.hint or error.title))


def must_be_ours(house: House, token: str, sent: Mapping[str, str], here: bool) -> None:
    """Was it sent by a page of this link, that was shown not too long ago?"""
    if not here:
        raise Refused(rules.ELSEWHERE)
    if not links.signer(house.settings).is_form(token, sent.get("form", ""), house.clock.now()):
        raise Refused(rules.OLD_PAGE)


def _refused(house: House, link: Link, token: str, network: str, refused: Refused) -> Told:
    def told() -> Told:
        with house.database.write() as connection:
            used(connection, house, link, token, network, refused)
            seen = _seen(connection, house, link, token)
            return seen if seen.refused else seen._replace(refused=refused)

    return house.database.patiently(told)


def _answered(house: House, link: Link, token: str, given: Given, network: str) -> Told:
    house.skew.must_be_small()  # as for every fact
    with house.database.write() as connection:
        who = _addressee(connection, link, house.clock.today())
        ref = queries.ref_of(connection, link.project_id)
        head = store.load(connection, ref) if ref else None
        project = queries.shown(connection, link.project_id, house.clock.today())
        if project is None or head is None or not _covers(who, project, head, house.clock.today()):
            raise Refused(rules.OUTSIDE)
        key = links.hash_of(token)
        before = queries.answered(connection, key)
        if before is not None:
            if before.answer != hash_of(given):
                raise Refused(rules.ANSWERED_BEFORE)
            used(connection, house, link, token, network, what=rules.REPEATED)
            return Told(link, who, project, before)
        fact = _recorded(Work(connection, who.caller, house), head, given)
        used(connection, house, link, token, network, what=rules.ANSWERED, kind=given.kind, answer=hash_of(given), fact_id=fact.id)
        return Told(link, who, project, queries.answered(connection, key), recorded=True)


def _covers(who: Addressee, project: Shown, head: Head, today: date) -> bool:
    """Is the project his to tell of, read under its lock: in his offices, or his own?"""
    standing = standing_on(head.fold(), today)
    return who.caller.covers(project.path) or (standing is not None and who.caller.person_id in (standing.owner_id, standing.liaison_id))


def _recorded(work: Work, head: Head, given: Given) -> Fact:
    """The answer as the fact it is."""
    match given:
        case FollowedUp():
            return projects.follow_up(work, head, FollowUpIn(channel=given.channel, note=given.note), SOURCE)
        case NewDate():
            today = work.today()
            if not today <= given.on <= today.replace(year=today.year + rules.YEARS_AHEAD, day=min(today.day, 28)):
                raise Refused(rules.INVALID, f"新的日期应在今天或以后，{rules.YEARS_AHEAD} 年以内。")
            wanted = MilestoneIn(milestone=given.milestone, effective_on=given.on, planned=True, note=given.reason)
            return projects.report_milestone(work, head, wanted, SOURCE)
        case Blocked():
            return projects.note(work, head, f"{rules.KINDS[rules.BLOCKER]}：{given.text}", rules.BLOCKER, SOURCE)
        case NothingNew():
            return projects.report(work, head, ReportIn(no_change=True), SOURCE)


def used(
    connection: Connection,
    house: House,
    link: Link,
    token: str,
    network: str,
    refused: Refused | None = None,
    *,
    what: str = rules.OPENED,
    kind: str | None = None,
    answer: str | None = None,
    fact_id: int | None = None,
) -> None:
    """Record one use; the same one again within a minute is counted, not written."""
    if not queries.exists(connection, link):
        return  # signed before a restore from an older backup: there is nothing to hang it on
    now: datetime = house.clock.now()
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(ReplyUse).values(
        link=links.hash_of(token), run_date=link.run_date, person_id=link.person_id, project_id=link.project_id, at=now,
        minute=now.replace(second=0, microsecond=0), what=rules.REFUSED if refused else what, reason=refused.reason if refused else "",
        network=network, times=1, kind=kind, answer=answer, fact_id=fact_id,
    )  # fmt: skip
    same = ["link", "what", "reason", "network", "minute"]
    connection.execute(insert.on_conflict_do_update(index_elements=same, set_={"times": ReplyUse.times + 1}))
