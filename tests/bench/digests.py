"""Digests of fifty rows: built and stored, and sent, beside the way it is usually done; and memory as readers grow.

The usual way, for each recipient: his rows by the ORM, both templates read and compiled, the style sheet inlined, the message
put together by `email`, one commit; then, for each message, a connection of its own, and one commit that says it was sent. It
knows nothing of markers and doubt: it loses or doubles a message whenever it is killed. Rows are worded by the same functions
as ours. Each figure is a process of its own (`python -m tests.bench.digests WHAT URL [PORT]`).
"""

from __future__ import annotations

import json
import logging
import smtplib
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from itertools import groupby
from pathlib import Path
from typing import Any

import css_inline
import jinja2
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from app.alerts import compose, daily, digest, hearing
from app.alerts.models import Delivery, DeliveryEvent
from app.alerts.sender import Sender
from app.clock import FixedClock
from app.db import Database
from app.heart import lifecycle, rules
from app.offices import service as offices
from app.offices.models import Office, Person
from app.policies.queries import book_of
from app.projects import money
from app.projects.derived import standing_from
from app.projects.models import Project, StandingRow
from app.replies.links import url_for
from app.settings import Settings
from app.stalls.models import Flag
from tests.bench.daily import memory
from tests.bench.load import ROOT
from tests.bench.registers import KINDS, Registers
from tests.bench.seed import lay
from tests.bench.sink import sink
from tests.bench.stories import TODAY, stories
from tests.bench.table import Figures

ROWS, DESKS = 50, 10
"""Projects of an office, all of which turned red today, and its clerks, each of whom is told of them."""
FEW, MANY = 300, 3_000
CLOCK = datetime(TODAY.year, TODAY.month, TODAY.day, 2, 0, tzinfo=UTC)


def measure(registers: Registers, figures: Figures, *, quick: bool = False) -> None:
    """Both databases; rounds in turns, so that a busy minute touches both ways."""
    many, rounds = (FEW, 1) if quick else (MANY, 3)
    for kind in KINDS:
        print(f"  digests, {kind}", flush=True)
        small, large = (register(registers, kind, readers) for readers in (FEW, many))
        _run("build", small)  # the flags: what is built usually reads them too
        built: dict[str, list[dict[str, float]]] = {"few": [], "many": [], "usual": []}
        for _ in range(rounds):
            built["usual"].append(_run("build_usually", small))
            built["few"].append(_run("build", small))
            built["many"].append(_run("build", large))
        middle = {what: _middle(found) for what, found in built.items()}
        for what, values in middle.items():
            figures.figure(f"{kind}: digests of {ROWS} rows built, {what}", **values)
        figures.ratio(f"{kind}: {many:,} digests of {ROWS} rows built, a second / usual way", middle["many"]["a_second"],
                      middle["usual"]["a_second"], at_least=5)  # fmt: skip
        figures.ratio(f"{kind}: memory that building takes, {many:,} / {FEW} readers, MB more", middle["many"]["mb"] - middle["few"]["mb"],
                      1, at_most=20)  # fmt: skip
        with sink() as port:
            sent: dict[str, list[dict[str, float]]] = {"few": [], "many": [], "usual": []}
            for _ in range(rounds):
                sent["few"].append(_run("send", small, port))
                sent["usual"].append(_run("send_usually", large, port))
                sent["many"].append(_run("send", large, port))
        middle = {what: _middle(found) for what, found in sent.items()}
        for what, values in middle.items():
            figures.figure(f"{kind}: digests sent, {what}", **values)
        figures.ratio(f"{kind}: {many:,} digests sent, a second / a connection each", middle["many"]["a_second"],
                      middle["usual"]["a_second"], at_least=1.6)  # fmt: skip
        figures.ratio(f"{kind}: memory that sending takes, {many:,} / {FEW} messages, MB more", middle["many"]["mb"] - middle["few"]["mb"],
                      1, at_most=20)  # fmt: skip
        for url in (small, large):
            registers.forget(url)


def register(registers: Registers, kind: str, readers: int) -> str:
    """So many clerks, ten to an office, and fifty projects in each office."""
    url = registers.empty(kind)
    database = Database(url)
    with database.write() as connection:
        offices.add_office(connection, code="C", name="示例县", kind="county")
        codes = [f"T{number:03d}" for number in range(readers // DESKS)]
        towns = [offices.add_office(connection, code=code, name=f"镇区{code}", kind="town", parent="C").id for code in codes]
        desks = [
            [
                offices.add_person(connection, office=code, name=f"经办人{n}", email=f"{code}.{n}@example.test", role="clerk")
                for n in range(DESKS)
            ]
            for code in codes
        ]  # fmt: skip
    database.dispose()
    _, due = stories(0)
    named = []
    for at in range(len(towns) * ROWS):
        office = at // ROWS
        owner = str(desks[office][at % DESKS])
        named.append((str(at + 1), f"P-{at:06d}", f"年产{at}万吨新材料生产项目", str(towns[office]), owner, due[at % len(due)]))
    lay(url, named)
    return url


def _middle(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(one[name] for one in runs), 2) for name in runs[0]}


def _run(what: str, url: str, port: int = 0) -> dict[str, float]:
    called = [sys.executable, "-m", "tests.bench.digests", what, url, str(port)]
    done = subprocess.run(called, cwd=ROOT, capture_output=True, text=True, timeout=3600, check=False)
    if done.returncode:
        raise RuntimeError(f"{what} failed: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


# one process each --------------------------------------------------------------------------------------------


class Watch:
    """Seconds of the part that counts, and the most memory beyond what was held when it began."""

    def __enter__(self) -> Watch:
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
        self.before, self.began = memory(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds, self.mb = time.perf_counter() - self.began, memory() - self.before


def build(database: Database, settings: Settings) -> tuple[int, Watch]:
    """The morning's run, of which filling the outbox counts; how many messages."""
    _empty(database)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE daily_run SET state = 'evaluated', lease_until = NULL")
    enqueue, watch = daily._enqueue, Watch()

    def watched(*given: Any) -> None:
        with watch:
            enqueue(*given)

    daily._enqueue = watched
    counts = daily.run_day(database, FixedClock(settings.zone, CLOCK), settings, book_of(database), TODAY)
    assert counts is not None
    return int(counts["messages"]), watch


def send(database: Database, settings: Settings) -> tuple[int, Watch]:
    """What a worker's tick sends."""
    _waiting_again(database)
    with Watch() as watch:
        ends = Sender(database, FixedClock(settings.zone, CLOCK), settings).run()
    assert set(ends) == {"sent"}, ends
    return ends["sent"], watch


def build_usually(database: Database, settings: Settings) -> tuple[int, Watch]:
    """One recipient after the other."""
    _empty(database)
    number = 0
    with Watch() as watch, Session(database.engine) as session:
        people = session.execute(sa.select(Person.id, Person.name, Person.email, Person.role, Office.id, Office.name).join(Office)).all()
        for person_id, name, email, role, office_id, office in people:
            mine = sa.or_(Project.office_id == office_id, StandingRow.owner_id == person_id)
            query = sa.select(Project, StandingRow, Flag, Person.name).join(StandingRow, StandingRow.project_id == Project.id)
            query = query.join(Flag, Flag.project_id == Project.id).outerjoin(Person, Person.id == StandingRow.owner_id)
            query = query.where(mine, Flag.closed_on.is_(None), StandingRow.known_to.is_(None))
            query = query.where(StandingRow.valid_from <= TODAY, StandingRow.valid_to > TODAY).order_by(Project.id)
            rows = session.execute(query).all()
            printed = [_printed(list(of_one), office, settings) for _, of_one in groupby(rows, key=lambda row: row[0].id)]
            told = digest.build(hearing.Reader(name, office, False, False), TODAY, printed)
            assert told is not None and sum(told_count for _, told_count, _ in told.sections) == ROWS
            session.add(_delivery(person_id, email, told, name, settings, url_for(settings, TODAY, person_id, office_id, role)))
            session.commit()
            session.expunge_all()
            number += 1
    return number, watch


def _printed(rows: Sequence[Any], office: str, settings: Settings) -> hearing.Project:
    project, row, _, owner = rows[0]
    now = standing_from({column.name: getattr(row, column.name) for column in StandingRow.__table__.columns})
    amount = digest.chinese_money(now.amount, now.currency, money.digits(now.currency or "CNY"))
    opened: list[hearing.Standing] = []
    changes: list[hearing.Change] = []
    for _, _, flag, _ in rows:
        rule = rules.BY_NAME[flag.rule]
        missing = tuple(rules.MISSING_LABELS[kind] for kind in rule.missing(now))
        opened.append(hearing.Standing(rule.name, rule.label, flag.level, flag.basis_on, flag.due_on, missing, rule.advice, None, None))
        changes.append(hearing.Change(rule.name, rule.label, None, flag.level, False))
    stage = lifecycle.BY_STAGE[now.stage].label if now.stage else ""
    url = f"{settings.public_url}/projects/{project.ref}"
    return hearing.Project(
        project.ref, project.name, office, owner, stage, now.stage_entered_on, amount, url, tuple(changes), tuple(opened), project.id
    )


def _delivery(person_id: int, email: str, told: digest.Digest, name: str, settings: Settings, answer: compose.Link | None) -> Delivery:
    def page(file: str, autoescape: bool) -> str:
        environment = jinja2.Environment(autoescape=autoescape, loader=jinja2.FileSystemLoader(compose.TEMPLATES))
        environment.filters |= {"chinese": digest.chinese_date, "state": str}
        source = (compose.TEMPLATES / file).read_text("utf-8").replace("{{ body(line) }}", "{% include 'line.html' %}")
        return environment.from_string(source).render(digest=told, answer=answer)

    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = told.subject, settings.mail_from, f"{name} <{email}>"
    message["Message-ID"] = compose.message_id(TODAY, person_id, settings.public_url)
    message.set_content(page("digest.txt", False))
    message.add_alternative(css_inline.inline(page("digest.html", True)), subtype="html")
    moments = {"next_try_at": CLOCK, "created_at": CLOCK, "updated_at": CLOCK}
    return Delivery(
        run_date=TODAY, person_id=person_id, channel="mail", recipient=email, message_id=message["Message-ID"], subject=told.subject,
        body=message.as_bytes(), state="pending", attempt=0, **moments,
    )  # fmt: skip


def send_usually(database: Database, settings: Settings) -> tuple[int, Watch]:
    """A connection and a commit for each message."""
    _waiting_again(database)
    host, _, port = settings.smtp_url.removeprefix("smtp://").partition(":")
    with Watch() as watch, Session(database.engine) as session:
        numbers = session.scalars(sa.select(Delivery.id).where(Delivery.state == "pending").order_by(Delivery.id)).all()
        for number in numbers:
            one = session.get_one(Delivery, number)
            with smtplib.SMTP(host, int(port), local_hostname="bench") as server:
                server.sendmail(settings.mail_from, [one.recipient], one.body)
            one.state, one.updated_at = "sent", CLOCK
            session.commit()
            session.expunge_all()
    return len(numbers), watch


def _empty(database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.delete(DeliveryEvent))
        connection.execute(sa.delete(Delivery))


def _waiting_again(database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.delete(DeliveryEvent))
        connection.execute(sa.update(Delivery).values(state="pending", attempt=0, marked_at=None, next_try_at=CLOCK))


def main(what: str, url: str, port: str) -> None:
    """Do one of them and print what it took as JSON."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    settings = Settings(database_url=url, smtp_url=f"smtp://127.0.0.1:{int(port) or 1}", secret_key="bench", audit_key="bench")
    database = Database(url)
    number, watch = {"build": build, "build_usually": build_usually, "send": send, "send_usually": send_usually}[what](database, settings)
    database.analyse()
    database.dispose()
    print(json.dumps({"messages": number, "seconds": watch.seconds, "a_second": number / watch.seconds, "mb": watch.mb}))


if __name__ == "__main__":
    main(*sys.argv[1:])
