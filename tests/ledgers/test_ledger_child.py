"""The child that touches the file: its limits, its ends, and what the parent makes of them."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from app.ledgers.sheets import child, limits, workbook
from app.ledgers.sheets.refusals import FileRefused
from app.ledgers.sheets.workbook import open_workbook
from tests.ledgers.test_ledger_shapes import HEAD, project
from tests.ledgers.workbooks import Page, xlsx

GOOD = xlsx(Page([HEAD, project(1, "甲镇", "A")]))

Instead = Callable[[str], None]


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Instead:
    """Let the child do something else."""

    def do(code: str) -> None:
        monkeypatch.setattr(workbook, "_COMMAND", code)

    return do


ENDS = {
    "killed": ("import os; os.kill(os.getpid(), 9)", "parser_failed"),
    "aborted, as the parser does without memory": ("import os; os.abort()", "too_much_memory"),
    "out of CPU": ("import resource as r; r.setrlimit(r.RLIMIT_CPU, (1, 2))\nwhile True: pass", "too_slow"),
    "a fault": ("import os; os.kill(os.getpid(), 11)", "parser_failed"),
    "an exception": ("1 / 0", "parser_failed"),
    "nothing said": ("pass", "parser_failed"),
    "not JSON": ("print('hello')", "parser_failed"),
    "another shape": ("print('[1, 2]')", "parser_failed"),
    "half said": ("import sys; sys.stdout.write('{\"end\": true')", "parser_failed"),
    "too much said": (
        "import resource as r, sys; r.setrlimit(r.RLIMIT_FSIZE, (1000, 1000))\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        "sys.stdout.write('x' * 100_000)",
        "area_too_large",
    ),
    "a refusal after half a line": ('print(\'{"format": "xl\', end="")\nprint(\'\\n{"refused": "damaged", "more": {}}\')', "damaged"),
}  # fmt: skip


@pytest.mark.parametrize("what", ENDS)
def test_however_the_child_ends_the_parent_says_one_sentence(what: str, instead: Instead) -> None:
    code, reason = ENDS[what]
    instead(code)
    with pytest.raises(FileRefused) as refused:
        open_workbook(GOOD)
    assert refused.value.reason == reason


def test_a_hanging_child_is_ended(instead: Instead, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    instead(f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    began = time.monotonic()
    with pytest.raises(FileRefused) as refused:
        open_workbook(GOOD, wall_seconds=2)
    assert refused.value.reason == "too_slow"
    assert time.monotonic() - began < 60
    assert not Path("/proc", note.read_text()).exists()


def test_the_child_is_confined_before_it_reads(tmp_path: Path) -> None:
    told = tmp_path / "limits"
    code = (
        "import json, resource, sys; sys.path.insert(0, sys.argv[1])\nfrom app.ledgers.sheets import child\nchild.confine()\n"
        "names = ('RLIMIT_AS', 'RLIMIT_CPU', 'RLIMIT_FSIZE', 'RLIMIT_CORE')\n"
        "print(json.dumps({name: resource.getrlimit(getattr(resource, name)) for name in names}))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code, workbook._ROOT], capture_output=True, check=True)
    told.write_bytes(done.stdout)
    found = json.loads(told.read_text())
    assert found["RLIMIT_AS"] == [limits.MEMORY_BYTES] * 2
    assert found["RLIMIT_CPU"] == [limits.CPU_SECONDS, limits.CPU_SECONDS + 1]
    assert found["RLIMIT_FSIZE"] == [limits.OUTPUT_BYTES] * 2
    assert found["RLIMIT_CORE"] == [0, 0]


def test_a_file_that_unfolds_beyond_the_limit_of_output(instead: Instead) -> None:
    instead(workbook._COMMAND.replace("import main; main()", "import limits, main; limits.OUTPUT_BYTES = 20_000; main()"))
    with pytest.raises(FileRefused) as refused:
        open_workbook(xlsx(Page([["x" * 20] * 10] * 500)))
    assert refused.value.reason == "area_too_large"


def test_a_file_that_takes_too_long(instead: Instead) -> None:
    slow = "import child, limits; limits.CPU_SECONDS = 1; child.judge = lambda data: sum(iter(int, 1)); child.main()"
    instead(workbook._COMMAND.replace(".child import main; main()", " " + slow))
    with pytest.raises(FileRefused) as refused:
        open_workbook(GOOD)
    assert refused.value.reason == "too_slow"


def test_a_lower_limit_of_the_machine_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "getrlimit", lambda what: (5, 5) if what == resource.RLIMIT_CPU else (resource.RLIM_INFINITY,) * 2)
    monkeypatch.setattr(resource, "setrlimit", set_to.__setitem__)
    child.confine()
    assert set_to[resource.RLIMIT_CPU] == (5, 5)
    assert set_to[resource.RLIMIT_AS] == (limits.MEMORY_BYTES,) * 2


def test_the_child_knows_no_secret(instead: Instead, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LUODI_SECRET_KEY", "very secret")
    note = tmp_path / "env"
    instead(f"import os; open({str(note)!r}, 'w').write(repr((dict(os.environ), os.getcwd(), len(os.listdir('/proc/self/fd')))))")
    with pytest.raises(FileRefused):
        open_workbook(GOOD)
    environment, folder, files = eval(note.read_text())
    assert "LUODI_SECRET_KEY" not in environment and folder == "/"
    assert files <= 5  # three streams, the note, and the list


def test_the_parent_reads_json_only() -> None:
    """What comes from the child could be forged: it is never unpickled or run."""
    source = Path(workbook.__file__).read_text("utf-8")
    assert "pickle" not in source and "marshal" not in source and "eval(" not in source


def test_a_workbook_can_be_read_again_and_again() -> None:
    data = xlsx(Page([[n, "x"] for n in range(2_500)], name="一"), Page([], name="二"), Page([["y"]], name="三"))
    with open_workbook(data) as book:
        for _ in range(2):
            seen = [(head.name, [len(portion) for portion in portions]) for head, portions in book.sheets()]
            assert seen == [("一", [1000, 1000, 500]), ("二", []), ("三", [1])]
        # Sheets may be skipped: the next one is found all the same.
        assert [head.name for head, _ in book.sheets()] == ["一", "二", "三"]


def test_the_lines_of_a_child() -> None:
    told = [orjson.loads(line) for line in child.lines(GOOD)]
    assert told[0] == {"format": "xlsx", "encoding": None, "date1904": False, "sheets": [{"name": "台账", "read": True, "why": ""}]}
    assert told[1]["rows"] == 2 and told[2][0] == HEAD
    assert told[-1]["end"] is True


def test_leading_empty_rows_and_columns_keep_their_numbers() -> None:
    with open_workbook(xlsx(Page([[], [], ["", "", "x"], ["", "", "", 5]]))) as book:
        ((_, portions),) = list((head, list(portions)) for head, portions in book.sheets())
    assert portions == [[["", "", "", ""], ["", "", "", ""], ["", "", "x", ""], ["", "", "", 5.0]]]


def test_many_files_at_once_do_not_share_anything() -> None:
    """Files and rows of one reader do not reach another."""
    books = [open_workbook(xlsx(Page([[f"本 {n}"]]))) for n in range(3)]
    assert [[portion for _, portions in book.sheets() for portion in portions] for book in books] == [[[[f"本 {n}"]]] for n in range(3)]
    for book in books:
        book.close()
    assert os.getpid()


def test_how_many_rows_there_are_is_known_before_any_is_looked_at() -> None:
    many = [["{", number, "长" * 20] for number in range(2_500)]
    with open_workbook(xlsx(Page([["a"], ["b"]]), Page(many, name="二"), Page([["c"]], name="三", hidden=True))) as book:
        assert book.height() == 2_502
        assert [sum(map(len, portions)) for _head, portions in book.sheets()] == [2, 2_500]
        assert book.height() == 2_502
