"""Taking back what was recorded through one's links: "that was not me". Only what one link recorded, by whom it was recorded for.

A forwarded link may have been answered by somebody else. The addressee's next digest tells him of every answer in his name, with
a link of another kind, which nobody has who was only forwarded the first. Taking back is a void in his name; the answer stays in
the history, struck out, and so does the undo.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy.engine import Connection

from app.errors import DomainError
from app.heart import facts as kinds
from app.heart.live import live
from app.offices.desk import House, Work
from app.projects import service as projects
from app.projects import store
from app.projects.derived import New
from app.replies import links, queries, rules
from app.replies.links import Link, Undo
from app.replies.models import ReplyUse
from app.replies.queries import Addressee, Recorded
from app.replies.service import SOURCE, Refused, must_be_ours, somebody, used


class Seen(NamedTuple):
    """What the page of an undo has to show; `done`: just now, by this request."""

    undo: Undo
    who: Addressee | None = None
    use: Recorded | None = None
    refused: Refused | None = None
    done: bool = False


def show(house: House, token: str, network: str) -> Seen | None:
    """Open an undo; None when it is none of ours. Writes that it was opened and nothing else."""
    undo = links.signer(house.settings).undo(token)
    if undo is None:
        return None
    return house.database.patiently(lambda: _looked(house, undo, token, network))


def _looked(house: House, undo: Undo, token: str, network: str, refused: Refused | None = None) -> Seen:
    with house.database.write() as connection:
        use = _use_of(connection, undo)
        try:
            seen = Seen(undo, somebody(connection, undo, house.clock.today()), use, refused)
        except Refused as gone:
            seen = Seen(undo, refused=gone)
        if use is None:  # of a restore from an older backup
            return Seen(undo, refused=Refused(rules.OUTSIDE))
        used(connection, house, _as_link(undo, use), token, network, seen.refused)
        return seen


def take_back(house: House, token: str, sent: Mapping[str, str], network: str, *, here: bool) -> Seen | None:
    """Void what a use recorded; None when the token is none of ours. What no longer stands is not voided twice."""
    undo = links.signer(house.settings).undo(token)
    if undo is None:
        return None
    try:
        must_be_ours(house, token, sent, here)
        return house.database.patiently(lambda: _taken_back(house, undo, token, network))
    except Refused as refused:
        return _again(house, undo, token, network, refused)
    except DomainError as error:  # the project's own rules
        if error.status >= 500:
            raise
        return _again(house, undo, token, network, Refused(rules.RULED_OUT, error.hint or error.title))


def _again(house: House, undo: Undo, token: str, network: str, refused: Refused) -> Seen:
    return house.database.patiently(lambda: _looked(house, undo, token, network, refused))


def _taken_back(house: House, undo: Undo, token: str, network: str) -> Seen:
    house.skew.must_be_small()
    with house.database.write() as connection:
        who, use = somebody(connection, undo, house.clock.today()), _use_of(connection, undo)
        head = store.load(connection, use.ref) if use is not None else None
        if use is None or head is None:
            raise Refused(rules.OUTSIDE)
        fact = next(one for one in head.facts if one.id == use.fact_id)
        link = _as_link(undo, use)
        if fact not in live(head.facts)[0]:  # read under the project's lock
            used(connection, house, link, token, network, what=rules.REPEATED)
            return Seen(undo, who, use._replace(stands=False))
        gone = New(kinds.VOIDED, house.clock.today(), {"reason": rules.DISOWNED}, fact.seq)
        void = projects.record(Work(connection, who.caller, house), head, [gone], SOURCE)
        used(connection, house, link, token, network, what=rules.ANSWERED, kind=rules.UNDO, fact_id=void.id)
        return Seen(undo, who, use._replace(stands=False), done=True)


def _use_of(connection: Connection, undo: Undo) -> Recorded | None:
    """The answer that an undo is for: one of his."""
    found = queries.recorded(connection, ReplyUse.id == undo.use_id, ReplyUse.person_id == undo.person_id, ReplyUse.kind != rules.UNDO)
    return found[0] if found else None


def _as_link(undo: Undo, use: Recorded) -> Link:
    """As its uses are kept: by person, project and day."""
    return Link(undo.person_id, undo.office_id, use.project_id, undo.run_date)
