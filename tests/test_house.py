"""Rules of the house that nobody may forget, compared with the code itself."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
LOCKS = sorted(ROOT.glob("requirements*.lock"))
SOURCES = sorted((ROOT / "app").rglob("*.py"))
TIRING, TOO_LONG = 300, 350

STAGES = {"intent", "signed", "land", "construction", "operating"}
READS_THE_CLOCK = {
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    # The database's clock is not ours either: a test that turns the clock forward would not move it.
    "sqlalchemy.func.current_date",
    "sqlalchemy.func.current_timestamp",
    "sqlalchemy.func.now",
    "time.gmtime",
    "time.localtime",
    "time.time",
    "time.time_ns",
}


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def clock_reads(source: str) -> Iterator[int]:
    """Yield the lines that name a function which reads the clock, under whatever name it was imported."""
    tree = ast.parse(source)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                names[name.asname or name.name] = name.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                names[name.asname or name.name] = f"{node.module}.{name.name}"

    def full_name(node: ast.AST) -> str | None:
        if isinstance(node, ast.Name):
            return names.get(node.id)
        if isinstance(node, ast.Attribute) and (owner := full_name(node.value)):
            return f"{owner}.{node.attr}"
        return None

    for node in ast.walk(tree):
        if full_name(node) in READS_THE_CLOCK:
            yield node.lineno


def stage_decisions(source: str) -> Iterator[int]:
    """Yield the lines that compare something with the literal name of a stage: ==, in, match, or SQL's in_()."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            compared = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            compared = [node.value]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("in_", "not_in", "is_distinct_from"):
            compared = list(node.args)
        else:
            continue
        literals = [leaf for side in compared for leaf in (getattr(side, "elts", None) or [side])]
        if any(isinstance(leaf, ast.Constant) and leaf.value in STAGES for leaf in literals):
            yield compared[0].lineno


@pytest.mark.parametrize(
    "code",
    [
        "from datetime import datetime as d\nx = d.now(tz)",
        "import datetime\nfield = datetime.date.today",
        "import time\ntime.time()",
        "from time import time\ntime()",
        "import sqlalchemy as sa\nsa.func.now()",
    ],
)
def test_a_clock_read_is_noticed(code: str) -> None:
    assert list(clock_reads(code)) == [2]


def test_stopwatches_and_the_clock_passed_in_are_no_clock_reads() -> None:
    code = "import time\nfrom app.clock import Clock\ntime.monotonic(); time.perf_counter()\nclock.now(); Clock().now()"
    assert list(clock_reads(code)) == []


def test_the_clock_is_read_in_one_place() -> None:
    read = [f"{place(path)}:{line}" for path in SOURCES for line in clock_reads(path.read_text("utf-8"))]
    assert [where for where in read if not where.startswith("app/clock.py:")] == []


@pytest.mark.parametrize(
    "code",
    [
        "stage == 'signed'",
        "'land' != stage",
        "stage in ('land', 'construction')",
        "table.c.stage.in_(['operating'])",
        "match stage:\n    case 'signed' | 'land': pass",
    ],
)
def test_a_decision_by_stage_name_is_noticed(code: str) -> None:
    assert list(stage_decisions(code))


def test_stage_names_as_data_are_no_decisions() -> None:
    assert list(stage_decisions("row = {'stage': 'signed'}; report('land', on=day)")) == []


def test_only_the_heart_decides_by_stage() -> None:
    elsewhere = [path for path in SOURCES if not place(path).startswith(("app/heart/", "app/demo"))]
    decided = [f"{place(path)}:{line}" for path in elsewhere for line in stage_decisions(path.read_text("utf-8"))]
    assert decided == [], "ask app.heart.lifecycle instead"


def test_no_file_tires_the_reader() -> None:
    lengths = {place(path): len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    long = {name: lines for name, lines in lengths.items() if lines > TIRING}
    print(f"split soon (over {TIRING} lines):", long)
    assert {name: lines for name, lines in long.items() if lines > TOO_LONG} == {}, "split it by subject"


def test_migrations_have_one_head() -> None:
    assert len(ScriptDirectory(str(ROOT / "migrations")).get_heads()) == 1


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_installs_through_any_mirror(lock: Path) -> None:
    for line in lock.read_text("utf-8").splitlines():
        assert "://" not in line
        assert re.match(r"#| *# |[a-z0-9]|    --hash=sha256:[0-9a-f]{64}", line), line
        assert not re.search(r"(^|[\s=@])/\w", line), f"a path of one machine: {line}"


def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"(?m)^([a-z0-9-]+)==([^ ;\\]+)", (ROOT / lock).read_text("utf-8")))


def test_the_locks_agree_with_each_other_and_with_the_project() -> None:
    run, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    assert run.items() <= dev.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = project["dependency-groups"]
    for asked, locked in ((project["project"]["dependencies"] + groups["build"], run), (groups["dev"], dev)):
        for requirement in map(Requirement, asked):
            name = requirement.name.lower().replace("_", "-")
            assert locked.get(name, "0") in requirement.specifier, f"{requirement}: run `make lock`"
