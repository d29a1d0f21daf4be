"""What lists are asked: filters, order, page. A filter that is saved is checked by the very same models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from app.errors import Invalid
from app.heart import checks, rules
from app.projects.schemas import AsOf, Day, PersonId, Short, StageName, Status, TypedIn
from app.projects.sorting import SORTS, WAYS

Level = Literal["blue", "yellow", "red", "exit_review"]
PAGING = {"as_of", "known_at", "limit", "cursor", "count", "filter"}
"""What does not change which rows a list holds or their order (a saved filter is laid under the question before)."""


def one_of(ways: tuple[str, ...]) -> Any:
    """A `sort` that takes these names, and says which there are when it is given another."""

    def known(name: str) -> str:
        if name not in ways:
            because = "（level 按时限当场判断，不能排序；请用 level 筛选或查 /stalls）" if name.removeprefix("-") == "level" else ""
            raise ValueError(
                f"不能按 {name[:50]} 排序{because}；可以按：{'、'.join(ways)} / cannot be sorted by this; the columns are listed"
            )
        return name

    return Annotated[str, StringConstraints(max_length=100), AfterValidator(known), Field(json_schema_extra={"enum": list(ways)})]


if TYPE_CHECKING:  # the checker cannot read a table
    ProjectSort: TypeAlias = str
else:
    ProjectSort = one_of(WAYS)
SavedId = Annotated[int, Field(ge=1, le=2**31 - 1)]


class ListIn(AsOf):
    """What every list takes. `q` is looked for in name, investor and ref, as written or in pinyin; `filter` is the number of a
    saved filter, whose parameters hold where the question itself says nothing."""

    office: Short | None = None
    q: TypedIn | None = Field(None, examples=["锂电", "ldcl"])
    filter: SavedId | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, StringConstraints(max_length=2000)] | None = None
    count: bool = False
    sort: str = ""

    @property
    def column(self) -> str:
        """The column to sort by."""
        return self.sort.removeprefix("-")

    @property
    def down(self) -> bool:
        """Is the order reversed?"""
        return self.sort.startswith("-")

    @property
    def rests_on_names(self) -> bool:
        """Does the answer depend on what a project is called today? Names are not kept by moment."""
        return bool(self.q) or (self.column in SORTS and SORTS[self.column].printed)

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that this list can be asked for."""
        return tuple(rules.BY_NAME)

    def check(self) -> None:
        """Refuse what only the tables can tell: a rule that there is not."""
        rule = getattr(self, "rule", None)
        if rule is not None and rule not in self.rules:
            raise Invalid(f"没有规则 {rule}；规则有：{'、'.join(rules.BY_NAME)}", errors=[{"field": "rule", "message": "unknown rule"}])

    @model_validator(mode="after")
    def _sorted_by_what_is_stored(self) -> ListIn:
        sort = SORTS.get(self.column)
        if sort is not None and sort.today_only and (self.as_of or self.known_at):
            raise ValueError(f"{self.column} 只能在查询今天时排序，请去掉 as_of 和 known_at / can be sorted by as of today only")
        return self


class CheckList(AsOf):
    """Filters of the data checks; `check` is one of their codes."""

    office: Short | None = None
    check_code: Annotated[Short | None, Field(alias="check", json_schema_extra={"enum": list(checks.BIT)})] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, StringConstraints(max_length=2000)] | None = None
    count: bool = False

    @field_validator("check_code")
    @classmethod
    def _known(cls, code: str | None) -> str | None:
        if code is not None and code not in checks.BIT:
            raise ValueError(f"没有这项数据检查；有：{'、'.join(checks.BIT)} / there is no such check")
        return code


class ProjectList(ListIn):
    """Filters of the project list."""

    stage: StageName | None = None
    status: Status | None = None
    level: Level | None = None
    rule: Short | None = None
    owner: PersonId | None = None
    liaison: PersonId | None = None
    signed_from: Day | None = None
    signed_to: Day | None = None
    sort: ProjectSort = "id"

    @property
    def rules(self) -> tuple[str, ...]:
        return (*rules.BY_NAME, rules.STOPPED)
