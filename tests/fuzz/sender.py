"""Requests made from the OpenAPI description by schemathesis, sent as anybody of the cast, and every answer held against it.

Random ids find nothing, and a random day lies in the wrong century: so half of the requests get the ids, cursors and keys
that earlier answers held, and days of the last months. That is what brings them past the door, into the rules.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from datetime import date, timedelta
from typing import Any
from unittest import SkipTest

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.offices.desk import House
from app.offices.service import add_person, issue_token
from tests.api.test_matrix import ROUTES
from tests.cast import landing

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
TELLS = "GET /healthz/daily"
"""Whose 503 is the answer that was asked for: nothing has run yet."""
KEPT = 40
"""How many ids of each kind are remembered."""
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
REPORTERS = ("clerk", "officer", "other")
OFFICES = ("T01", "T02", "B")
PERSON = "somebody"
"""Whose token is a person's own; the others are their office's."""
MONEY = ("CNY", "USD", "EUR", "JPY")


def found_people(house: House) -> dict[str, str]:
    """A person in each office, and a token that one of them has for himself."""
    with house.database.write() as connection:
        for office, role in (("T01", "clerk"), ("T02", "clerk"), ("B", "officer")):
            add_person(connection, office=office, name=f"{office} {role}", email=f"{office}@example.org", role=role)
        token = issue_token(connection, office="T01", role="clerk", now=house.clock.now(), person="T01@example.org")
    return {PERSON: token}


class Sender:
    """One service under fire: its address, everybody's token, and what was learnt from its answers."""

    def __init__(self, address: str, tokens: dict[str, str], today: date) -> None:
        self.address, self.tokens, self.today = address, tokens, today
        self.session = requests.Session()
        self.session.trust_env = False
        description = self.session.get(address + "/openapi.json", timeout=30).json()
        for operations in description["paths"].values():
            for operation in operations.values():  # who asks is decided here; the matrix sees to missing and odd tokens
                operation.pop("security", None)
        self.schema = schemathesis.openapi.from_dict(description)
        self.known: dict[str, list[Any]] = {
            "ref": [],
            "fact_id": [],
            "cursor": [],
            "number": [1, 2, 3],
            "order": ["1", "2", "3"],
            "stall": [],
            "owner": [1],
            "day": [],
        }
        self.sent: Counter[tuple[str, int]] = Counter()

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def operations(self) -> Iterator[Any]:
        """Every operation of the description."""
        for found in self.schema.get_all_operations():
            yield found.ok()

    def fire(self, operation: Any, mode: GenerationMode, examples: int, number: int) -> None:
        """Send so many requests to one operation, made from the seed `number`; the first fault is raised, shrunk."""

        @seed(number)
        @settings(
            max_examples=examples, database=None, deadline=None, print_blob=False, report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode), dice=st.integers(0, 2**32))
        def one(case: Any, dice: int) -> None:
            self.send(case, random.Random(dice))

        with contextlib.suppress(Unsatisfiable, SkipTest):  # nothing about this operation can be wrong
            one()

    def send(self, case: Any, dice: random.Random) -> None:
        """Send one request and hold its answer against the description."""
        self._ground(case, dice)
        usual = (PERSON,) if "/me/" in case.operation.path else REPORTERS
        name = dice.choice(usual if dice.random() < 0.6 else sorted(self.tokens))
        headers = {"Authorization": f"Bearer {self.tokens[name]}"}
        if case.method == "PATCH" and dice.random() < 0.7:
            headers["If-Match"] = "*"
        response = case.call(base_url=self.address, session=self.session, headers=headers, timeout=60)
        self.sent[case.operation.label, response.status_code] += 1
        told = case.operation.label == TELLS and response.status_code == 503
        case.validate_response(response, checks=[one for one in CHECKS if not (told and one is not_a_server_error)])
        assert response.headers["x-request-id"][0] and "nosniff" in response.headers["x-content-type-options"]
        if response.status_code < 300 and "json" in response.headers.get("content-type", [""])[0]:
            self._learn(response.json())

    def _ground(self, case: Any, dice: random.Random) -> None:
        """Put what exists into most of the places where something could be named."""
        for place in (case.path_parameters, case.query):
            for name in list(place) if isinstance(place, dict) else ():
                if self.known.get(name) and dice.random() < 0.7:
                    place[name] = dice.choice(self.known[name])
                elif name in ("as_of", "known_at", "date", "signed_from", "signed_to") and dice.random() < 0.7:
                    place[name] = self._day(dice)
                elif name == "office" and dice.random() < 0.7:
                    place[name] = dice.choice(OFFICES)
        if isinstance(case.body, dict):
            if (good := ROUTES[case.operation.label].body) is not None and dice.random() < 0.4:
                case.body = landing(self._day(dice)) if "evidence" in good and dice.random() < 0.5 and "action" in good else deepcopy(good)
            self._believable(case.body, dice)

    def _believable(self, body: dict[str, Any], dice: random.Random) -> None:
        for name, value in list(body.items()):
            if dice.random() < 0.2:
                continue  # left as hostile as it was
            if name.endswith("_on") or name == "until":
                body[name] = self._day(dice)
            elif name == "office":
                body[name] = dice.choice(OFFICES)
            elif name in ("total", "contract_amount"):
                body[name] = {"amount": f"{dice.randrange(10**9)}", "currency": dice.choice(MONEY)}
            elif name in ("ref", "owner_id", "credit_code"):
                del body[name]
            elif isinstance(value, list):
                for one in value:
                    if isinstance(one, dict):
                        self._believable(one, dice)

    def _day(self, dice: random.Random) -> str:
        return (self.today - timedelta(days=dice.randrange(400))).isoformat()

    def _learn(self, said: Any) -> None:
        rows = said.get("items", [said]) if isinstance(said, dict) else []
        for row in rows[:5]:
            for one in (row, row.get("project"), row.get("fact")):
                if isinstance(one, dict) and isinstance(one.get("ref"), str):
                    self._keep("ref", one["ref"])
                    self._keep("stall", f"{one['ref']}:signed_no_progress")
                if isinstance(one, dict) and isinstance(one.get("id"), int) and "recognition" in one:
                    self._keep("fact_id", one["id"])
        if isinstance(said, dict) and said.get("next_cursor"):
            self._keep("cursor", said["next_cursor"])

    def _keep(self, kind: str, value: Any) -> None:
        known = self.known[kind]
        if value not in known:
            known.append(value)
            if len(known) > KEPT:
                del known[0]
