"""The shapes that go out of offices and operations: documentation for OpenAPI, compared with real answers by the tests."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel


class UnitOut(BaseModel):
    code: str
    name: str
    kind: str


class MeOut(BaseModel):
    office: UnitOut
    role: str
    role_label: str
    may: list[str]
    person_id: int | None
    today: date


class OfficeRowOut(UnitOut):
    path: str


class OfficesOut(BaseModel):
    items: list[OfficeRowOut]
    total: int | None = None


class OfficeNameOut(BaseModel):
    code: str
    name: str


class PersonOut(BaseModel):
    id: int
    name: str
    email: str
    role: str
    left_on: date | None
    office: OfficeNameOut


class PeopleOut(BaseModel):
    items: list[PersonOut]
    total: int | None = None


class AliveOut(BaseModel):
    status: str
    version: str


class ReadyOut(BaseModel):
    status: str
    revision: str
