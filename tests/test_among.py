"""Any number of values is one value of a statement, on both databases."""

import sqlalchemy as sa

from app.db import Database, among
from app.offices.models import Office
from tests.conftest import MakeDatabase


def test_any_number_of_values_is_one_value(make_database: MakeDatabase, database_kind: str) -> None:
    database = Database(make_database(database_kind))
    with database.write() as connection:
        connection.execute(sa.insert(Office).values(code="C", name="县", kind="county", path="/1/"))
        query = sa.select(Office.code).where(among(Office.code, "codes", sa.String), Office.kind == "county")
        for codes, found in ((["C"], ["C"]), ([], []), (["x'\"\\", "县", "C"], ["C"]), ([f"T{n}" for n in range(40_000)], [])):
            assert list(connection.scalars(query, {"codes": codes})) == found
        number = connection.scalar(sa.select(Office.id))
        assert list(connection.scalars(sa.select(Office.id).where(among(Office.id)), {"ids": [0, number, 2**40]})) == [number]
    database.dispose()
