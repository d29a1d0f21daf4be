"""An import that is killed half-way is completed by running it again."""

import subprocess
import sys

from app.projects import rebuild
from tests.ledgers.conftest import Register, write
from tests.ledgers.test_export import random_rows


def test_a_killed_import_is_completed_by_the_next(register: Register, other: Register) -> None:
    rows = random_rows(3, projects=100)
    file = write(register.folder / "big.csv", rows)
    command = [sys.executable, "-m", "tests.ledgers.killed", register.house.database.url.render_as_string(hide_password=False)]
    died = subprocess.run([*command, str(file), str(register.folder)], capture_output=True, text=True, timeout=60)
    assert died.returncode == -9, died.stderr
    other.take(rows)
    half = register.counts()["project"]
    assert 0 < half < other.counts()["project"]
    summary = register.take_file(file)
    assert summary.projects_unchanged >= half
    assert register.standings() == other.standings()
    assert register.counts() == other.counts()
    assert rebuild.check(register.house.database) == []
    assert rebuild.verify_chains(register.house.database, register.house.audit_key) == []
