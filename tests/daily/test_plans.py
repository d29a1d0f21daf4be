"""A quiet day reads by index only, on both databases, however large the register is."""

from datetime import timedelta

from app.alerts import fates
from app.stalls import candidates
from tests.daily.county import MONDAY, County


def test_no_candidate_query_reads_a_whole_table(county: County) -> None:
    county.signed("A", MONDAY)
    today, before = MONDAY + timedelta(days=31), MONDAY + timedelta(days=30)
    with county.database.snapshot() as connection:
        policy = county.book.governing(connection, today, None)
        found = list(candidates._queries(candidates.windows(policy, before, policy, today), before, today, county.clock.now()))
        assert len(found) > 10
        found.append(fates.next_waiting(county.clock.now(), "mail"))
        for query in found:
            text = str(query.compile(county.database.engine, compile_kwargs={"literal_binds": True})).replace("%", "%%")
            if county.database.sqlite:
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all()
                assert all("SCAN" not in row[-1] for row in plan if row[-1] != "SCAN sending_hold"), (text, plan)  # of one row at most
            else:
                connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # a table of one row is always read whole
                plan = connection.exec_driver_sql(f"EXPLAIN {text}").all()
                assert all("Seq Scan" not in row[0] for row in plan), (text, plan)
