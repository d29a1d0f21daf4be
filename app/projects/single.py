"""One project: now in a single statement, from memory after a verb, or at any moment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import orjson
import sqlalchemy as sa

from app.heart import facts as kinds
from app.heart.facts import Fact
from app.heart.standing import Standing, standing_on
from app.http import token_parts
from app.offices.desk import House, Moment, Work
from app.offices.models import Office, Person, Token
from app.offices.queries import CALLER_COLUMNS, CALLER_FROM, caller_from, office_by_id
from app.policies.policy import Policy, Running
from app.policies.queries import NEWEST
from app.projects import derived, store
from app.projects.marks import Voices, has_marks, in_force, mark, marks_of, voices_of
from app.projects.models import ClockRow, Project, StandingRow
from app.projects.queries import PRINTED, RUNNING, STANDING, clocks_of, contacts_of, detailed, people_of, presented, true_on
from app.rows import Single

# one project, now, in one statement -----------------------------------------------------------------

_at = sa.orm.aliased(Office, name="at_office")
_led = sa.orm.aliased(Person, name="liaison")


def _one(sqlite: bool) -> sa.Select[Any]:
    pack = sa.func.json_array(*RUNNING) if sqlite else sa.func.json_build_array(*RUNNING)
    gather = sa.func.json_group_array(sa.func.json(pack)) if sqlite else sa.func.json_agg(pack)
    day = sa.bindparam("day", type_=sa.Date)
    ticking = (
        sa.select(sa.cast(gather, sa.Text))
        .where(ClockRow.project_id == Project.id, ClockRow.known_to.is_(None), ClockRow.valid_from <= day, ClockRow.valid_to > day)
        .correlate(Project)
        .scalar_subquery()
    )
    found = (
        sa.join(Project, StandingRow, StandingRow.project_id == Project.id)
        .join(_at, _at.id == StandingRow.office_id)
        .join(Person, Person.id == StandingRow.owner_id, isouter=True)
        .join(_led, _led.id == StandingRow.liaison_id, isouter=True)
    )
    on = sa.and_(
        Project.ref == sa.bindparam("ref"), StandingRow.known_to.is_(None), StandingRow.valid_from <= day, StandingRow.valid_to > day
    )
    inner: Any = (
        sa.select(
            *PRINTED, Project.last_contact_on, Project.last_report_on, *STANDING, _at.code.label("o_code"), _at.name.label("o_name"),
            _at.path.label("o_path"), Person.name.label("p_name"), Person.left_on.label("p_left"), ticking.label("ticking"),
            _led.name.label("l_name"), _led.left_on.label("l_left"), has_marks().label("has_marks"),
        )
        .select_from(found)
        .where(on)
        .subquery("found")
    )  # fmt: skip
    found_one: sa.Select[Any] = (
        sa.select(*CALLER_COLUMNS, NEWEST.label("newest"), inner)
        .select_from(CALLER_FROM.join(inner, sa.true(), isouter=True))
        .where(Token.id == sa.bindparam("token"))
    )
    return found_one


_ONE = {sqlite: Single(_one(sqlite)) for sqlite in (True, False)}


def project_now(house: House, header: str | None, ref: str, book: Any) -> dict[str, Any]:
    """One project as known and true now, token check included, in a single statement."""
    number, secret = token_parts(header)
    now = house.clock.now()
    day = house.clock.business_date(now)
    with house.database.statement() as connection:
        row = _ONE[house.database.sqlite].row(connection, {"token": number, "ref": store.usable_ref(ref), "day": day})
        caller = caller_from(row, number, secret, now)
        assert row is not None
        caller.must_cover(row["o_path"])
        policy: Policy = book.governing(connection, day, None, row["newest"])
        running = [_unpacked(*one) for one in orjson.loads(row["ticking"] or "[]")]
        reasons, at = policy.reasons(running, day), Moment(day, now, None, False)
        marks = marks_of(connection, [row["id"]], at).get(row["id"], ()) if reasons and row["has_marks"] else ()  # few have any
        voices = voices_of(connection, marks)
    standing = derived.standing_from(row)
    named = ((standing.owner_id, "p_name", "p_left"), (standing.liaison_id, "l_name", "l_left"))
    people: dict[int | None, dict[str, Any]] = {
        number: {"id": number, "name": row[name], "left_on": row[left]} for number, name, left in named if number
    }
    office = {"code": row["o_code"], "name": row["o_name"]}
    one = presented(row, standing, office, reasons, (row["last_contact_on"], row["last_report_on"]), people)
    return detailed(_marked(one, marks, day, voices), standing, at, policy)


def _marked(shown: dict[str, Any], marks: Iterable[Fact], day: date, voices: Voices) -> dict[str, Any]:
    """A project whose flags also say what was said about them."""
    mark(shown["flags"], marks, day, voices)
    return shown


def _unpacked(
    rule: str, basis: str, solid: str, soft: str, halted: bool, route: str | None, part: int | None, agreed: str | None
) -> Running:
    agreed_on = date.fromisoformat(agreed) if agreed else None
    return Running(rule, basis, date.fromisoformat(solid), date.fromisoformat(soft), bool(halted), route, part, agreed_on)


# one project, from memory -----------------------------------------------------------------------------


def project_held(work: Work, head: store.Head, at: Moment, policy: Policy) -> dict[str, Any]:
    """A project whose facts are all at hand, as `project_at` would read it back (unpinned moments only)."""
    standing = standing_on(head.fold(), at.as_of)
    if standing is None:
        return project_at(work, head.ref, at, policy)
    running = [
        Running(one.rule, one.basis, one.solid_on, one.soft_on, one.halted, one.route, one.part, one.agreed_on)
        for one in head.clocks
        if one.valid_from <= at.as_of < one.valid_to
    ]
    printed = derived.printed(
        [one for one in head.facts if one.effective_on <= at.as_of or one.kind not in (kinds.FOLLOWED_UP, kinds.REPORTED)]
    )
    around = head.around
    office = around if around is not None and around.office_id == standing.office_id else office_by_id(work.connection, standing.office_id)
    code, name = (office.office_code, office.office_name) if isinstance(office, store.Around) else (office.code, office.name)
    people: dict[int | None, dict[str, Any]] = {around.owner["id"]: around.owner} if around is not None and around.owner is not None else {}
    if any(number is not None and number not in people for number in (standing.owner_id, standing.liaison_id)):
        people = people_of(work.connection, (standing.owner_id, standing.liaison_id))
    row = {"ref": head.ref, "version": head.version, **printed}
    contacts = (printed["last_contact_on"], printed["last_report_on"])
    shown_project = presented(row, standing, {"code": code, "name": name}, policy.reasons(running, at.as_of), contacts, people)
    marks = in_force(head.facts)
    return detailed(_marked(shown_project, marks, at.as_of, voices_of(work.connection, marks)), standing, at, policy)


# one project, any moment ----------------------------------------------------------------------------


def project_at(work: Work, ref: str, at: Moment, policy: Policy) -> dict[str, Any]:
    """One project as of a date, by what was known at a moment."""
    query = (
        sa.select(*PRINTED, *STANDING, Office.code.label("o_code"), Office.name.label("o_name"), Office.path.label("o_path"))
        .join(StandingRow, StandingRow.project_id == Project.id)
        .join(Office, Office.id == StandingRow.office_id)
        .where(Project.ref == store.usable_ref(ref), true_on(StandingRow, at))
    )
    row = work.connection.execute(query).mappings().one_or_none()
    work.caller.must_cover(row["o_path"] if row else None)
    assert row is not None
    standing = derived.standing_from(row)
    running = clocks_of(work.connection, [row["id"]], at)[row["id"]]
    contacts = contacts_of(work.connection, [row["id"]], at)[row["id"]]
    people = people_of(work.connection, (standing.owner_id, standing.liaison_id))
    office = {"code": row["o_code"], "name": row["o_name"]}
    marks = marks_of(work.connection, [row["id"]], at).get(row["id"], ())
    one = presented(row, standing, office, policy.reasons(running, at.as_of), contacts, people)
    return detailed(_marked(one, marks, at.as_of, voices_of(work.connection, marks)), standing, at, policy)


def standing_at(work: Work, ref: str, at: Moment) -> Standing:
    """A project's standing, inside the caller's scope."""
    query = (
        sa.select(*STANDING, Office.path.label("o_path"))
        .join(Project, Project.id == StandingRow.project_id)
        .join(Office, Office.id == StandingRow.office_id)
        .where(Project.ref == store.usable_ref(ref), true_on(StandingRow, at))
    )
    row = work.connection.execute(query).mappings().one_or_none()
    work.caller.must_cover(row["o_path"] if row else None)
    assert row is not None
    return derived.standing_from(row)


def project_number(work: Work, ref: str) -> int:
    """A project's number, inside the caller's scope."""
    query = sa.select(Project.id, Office.path).join(Office, Office.id == Project.office_id).where(Project.ref == store.usable_ref(ref))
    row = work.connection.execute(query).one_or_none()
    work.caller.must_cover(row.path if row else None)
    assert row is not None
    return int(row.id)
