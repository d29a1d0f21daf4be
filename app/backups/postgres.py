"""pg_dump, pg_restore and psql: PostgreSQL's own programs, found, checked and run without a password in sight."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import psycopg.conninfo
from psycopg import sql

from app.db import Database
from app.errors import DomainError

FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
"""Where Debian and Red Hat keep several versions side by side."""
ADVISORY = 7105001
"""The lock that migrations take: neither runs beside the other."""
BLOCK = 1 << 20


class ToolMissing(DomainError):
    """A program of PostgreSQL is not there, or too old for the server."""

    code, title = "tool_missing", "缺少 PostgreSQL 客户端程序 / a PostgreSQL program is missing"


class Target(NamedTuple):
    """How to reach the database: an address without a password for the command line, and the environment that holds it."""

    address: str
    environment: Mapping[str, str]

    @classmethod
    def of(cls, database: Database) -> Target:
        """From the service's own address, as its driver understands it."""
        _, given = database.engine.dialect.create_connect_args(database.url)
        password = given.pop("password", None)
        for name in ("context", "client_encoding", "application_name"):
            given.pop(name, None)
        environment = {**os.environ, "PGAPPNAME": "luodi backup", "PGCLIENTENCODING": "UTF8", "LC_ALL": "C.UTF-8"}
        if password is not None:
            environment["PGPASSWORD"] = str(password)
        return cls(psycopg.conninfo.make_conninfo("", **given), environment)


def tool(name: str, server: int) -> Path:
    """A program that is not older than the server (its major version); the nearest of those there are."""
    on_path = shutil.which(name)
    places = [Path(on_path)] if on_path else []
    places += [found for pattern in FOLDERS for found in Path("/").glob(f"{pattern[1:]}/{name}")]
    versions = {place: version for place in places if (version := _version(place)) is not None}
    good = {place: version for place, version in versions.items() if version >= server}
    if good:
        return min(good, key=lambda place: good[place])
    if not versions:
        raise ToolMissing(f"找不到 {name}；请安装 postgresql-client-{server} 或更新，或把它的目录加入 PATH / {name} not found")
    newest = max(versions.values())
    raise ToolMissing(f"{name} {newest} 比服务器 {server} 旧；请安装 postgresql-client-{server} 或更新 / older than the server")


def _version(place: Path) -> int | None:
    with suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run([place, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
        if found := re.search(r"\) (\d+)", said):
            return int(found[1])
    return None


def major(connection: Any) -> int:
    """The server's major version."""
    version: int = connection.connection.dbapi_connection.info.server_version
    return version // 10_000


@contextmanager
def dumping(database: Database, snapshot: str, server: int) -> Iterator[IO[bytes]]:
    """The bytes of pg_dump's own format, of one exported snapshot. An error of pg_dump is raised when the block ends."""
    target = Target.of(database)
    words = [tool("pg_dump", server), "--format=custom", "--no-owner", "--no-privileges", "--no-password", f"--snapshot={snapshot}"]
    with _running([*words, f"--dbname={target.address}"], target) as process:
        assert process.stdout is not None
        yield process.stdout


@contextmanager
def _running(
    words: list[Any], target: Target, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[bytes]]:
    """A program whose complaints become a refusal; ended when the block is left by an error."""
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(words, env=target.environment, stdin=stdin, stdout=stdout, stderr=complaints)
        try:
            yield process
            if process.stdin is not None:
                process.stdin.close()
            code = process.wait()
        except BrokenPipeError:  # it ended before it had read everything; what it said tells why
            if process.stdin is None:
                raise
            code = process.wait() or 1
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout):
                with suppress(OSError):
                    stream.close() if stream is not None else None
        if code:
            complaints.seek(0)
            said = [line for line in complaints.read().decode(errors="replace").splitlines() if line.strip()]
            wrong = [line for line in said if re.search("error|fatal", line, re.I)] or said or [f"exit {code}"]
            raise DomainError(f"{Path(words[0]).name}：{'；'.join(wrong[:3])[:600]}")


_TABLES = """SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%%'
AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"""


def is_empty(database: Database) -> bool:
    """Is there no table at all?"""
    with database.statement() as connection:
        return int(connection.exec_driver_sql(_TABLES).scalar_one()) == 0


def restore(database: Database, dump: Path, server: int, rows: Mapping[str, int], at_the_end: Iterable[sql.Composed]) -> None:
    """Everything, and what is to hold from the first moment on, in one transaction: all of it or nothing, whoever is killed.

    pg_restore writes the statements, psql carries them out, and the commit is said only when pg_restore has ended well: whoever
    dies before takes the transaction along.
    """
    target = Target.of(database)
    script = [tool("pg_restore", server), "--file=-", "--no-owner", "--no-privileges", str(dump)]
    words = [tool("psql", server), "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    with _running([*words, f"--dbname={target.address}"], target, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as psql:
        assert psql.stdin is not None
        psql.stdin.write(f"BEGIN;\nSELECT pg_advisory_xact_lock({ADVISORY});\n".encode())
        with _running(script, target) as reading:
            assert reading.stdout is not None
            first = True
            while block := reading.stdout.read(BLOCK):
                if first and server < 17:  # said by newer programs, unknown to older servers
                    block = block.replace(b"SET transaction_timeout = 0;\n", b"", 1)
                first = False
                psql.stdin.write(block)
        psql.stdin.write(b"\nRESET search_path;\n")
        for statement in (*_counted(rows), *at_the_end):
            psql.stdin.write(statement.as_bytes() + b";\n")
        psql.stdin.write(b"COMMIT;\n")


def _counted(rows: Mapping[str, int]) -> Iterator[sql.Composed]:
    """Statements that fail unless every table has as many rows as it should."""
    for table, number in rows.items():
        yield sql.SQL("DO $check$ BEGIN IF (SELECT count(*) FROM {}) <> {} THEN RAISE EXCEPTION {}; END IF; END $check$").format(
            sql.Identifier(table), sql.Literal(number), sql.Literal(f"{table}: rows differ from the manifest")
        )
