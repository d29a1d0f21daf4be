"""The README says what is there: settings, diagram, routes, commands and rules are compared with the code."""

import re
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Any

import pytest
import typer.main

from app.cli import app as command_line
from app.heart import machine, rules
from app.ledgers.events_reading import COLUMNS, EVENTS
from app.main import create_app
from app.policies.policy import changed_body
from app.policies.service import read_file
from app.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def rows(starting: str) -> list[list[str]]:
    """The cells of every table row whose first cell begins so."""
    lines = [line for line in README.splitlines() if line.startswith(f"| {starting}")]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def shown(default: Any) -> str:
    if default is None or default == "":
        return "empty"
    text = str(default).lower() if isinstance(default, bool) else f"{default:%H:%M}" if isinstance(default, time) else str(default)
    return f"`{text}`"


def test_the_settings_table_is_the_settings() -> None:
    wanted = [[f"`LUODI_{name.upper()}`", shown(field.default), field.description] for name, field in Settings.model_fields.items()]
    assert rows("`LUODI_") == wanted


def test_the_diagram_is_the_machine() -> None:
    diagrams = re.findall(r"```mermaid\n(.*?)\n```", README, re.S)
    assert [one for one in diagrams if one.startswith("stateDiagram")] == [machine.mermaid()]


def test_every_route_is_in_the_table_and_no_other(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/x.db", var_dir=tmp_path, worker=False)
    paths = create_app(settings).openapi()["paths"]
    wanted = {f"`{method.upper()} {path}`" for path, methods in paths.items() for method in methods}
    listed = [row[0] for method in ("GET", "POST", "PUT", "PATCH", "DELETE") for row in rows(f"`{method} ")]
    assert sorted(listed) == sorted(wanted)


def test_every_rule_in_the_table_has_its_default_limits() -> None:
    """A row for the rule, or one for each group of site routes; and one for percentages of the agreed time."""
    listed = {row[0]: row[1:] for row in rows("`") if row[0].split("`")[1] in rules.BY_NAME}
    wanted: dict[str, list[str]] = {}
    for rule in rules.RULES:
        groups: dict[str, Mapping[str, str]] = {f"`{rule.name}`": rule.limits} if rule.limits else {}
        for limits in dict.fromkeys(tuple(limits.items()) for limits in rule.routes.values()):
            routes = [route for route, found in rule.routes.items() if tuple(found.items()) == limits]
            groups[f"`{rule.name}` {', '.join(routes)}"] = dict(limits)
        if rule.agreed:
            groups[f"`{rule.name}` agreed"] = rule.agreed
        for name, limits in groups.items():
            wanted[name] = [rule.label, *(limits.get(level, "–") for level in ("yellow", "red", "exit_review"))]
    assert {name: [row[0], *row[2:]] for name, row in listed.items()} == wanted


def test_every_command_is_named() -> None:
    section = README[README.index("## 命令行") : README.index("### 事件 CSV")]
    for name, command in typer.main.get_command(command_line).commands.items():  # type: ignore[attr-defined]
        assert f"`{name}" in section, name
        for sub in getattr(command, "commands", {}):
            assert re.search(rf"`{name} [a-z|\\]*{sub}", section), f"{name} {sub}"


def test_the_events_are_the_events() -> None:
    assert ",".join(COLUMNS) in README
    assert ", ".join(f"`{event}`" for event in EVENTS) in README


def test_the_policy_example_is_accepted() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", README, re.S)
    assert changed_body({}, read_file(example))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(app/[\w/]+(?:\.py|/))`", README))))
def test_files_it_names_exist(path: str) -> None:
    assert (ROOT / path).exists()


def test_it_stays_readable() -> None:
    assert len(README.splitlines()) <= 960
