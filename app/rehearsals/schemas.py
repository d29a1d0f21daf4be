"""What a caller sends to have policies rehearsed."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from app.policies.service import read_file
from app.projects.schemas import Day, In, Short, clean
from app.rehearsals.variants import MOST_VARIANTS

Toml = Annotated[str, StringConstraints(max_length=50_000), AfterValidator(clean)]
Limit = Short | bool | None
"""A limit ("30d"), a switch (enabled), or null: the level does not exist."""
Table = dict[Short, Limit | dict[Short, Limit | dict[Short, Limit]]]
"""One rule: limits, and tables of them by site route or for an agreed period, which may stand in a route's."""


class VariantIn(In):
    """A candidate: what it changes in the policy in force, as JSON of the same structure as a policy file, or as its text."""

    name: Short
    limits: dict[Short, Table] | None = None
    toml: Toml | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.limits is None) == (self.toml is None):
            raise ValueError("limits 与 toml 给出其中一个 / give limits or toml")
        return self

    def table(self) -> dict[str, Any]:
        """The policy file this variant stands for; JSON's null is the file's "none"."""
        if self.toml is not None:
            return read_file(self.toml)
        limits: dict[str, Any] = {
            rule: {key: _without_null(value) for key, value in changes.items()} for rule, changes in (self.limits or {}).items()
        }
        return {"limits": limits}


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_null(one) for key, one in value.items()}
    return "none" if value is None else value


class RehearsalIn(In):
    """Up to twenty variants over up to five years. `knowledge`: now, by what is known now; then, by what every morning knew."""

    variants: Annotated[list[VariantIn], Field(max_length=MOST_VARIANTS)]
    begin: Day | None = Field(None, alias="from")
    end: Day | None = Field(None, alias="to")
    office: Short | None = None
    knowledge: Literal["now", "then"] = "now"
