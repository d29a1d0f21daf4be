"""Every message's fate over HTTP, and sending one again by a person's decision."""

import sqlalchemy as sa

from app.alerts.models import Delivery
from app.offices import service as offices
from app.worker import daily
from tests.cast import County


def test_a_lost_message_is_seen_and_sent_again_once_by_the_bureau(county: County) -> None:
    with county.database.write() as connection:
        for office, name in (("T01", "clerk"), ("T02", "other"), ("B", "officer")):
            role = "officer" if office == "B" else "clerk"
            offices.add_person(connection, office=office, name=f"{name}某", email=f"{name}@luodi.example", role=role)
    county.sign(county.register())
    daily(county.house)
    (mine,) = county.get("clerk", "/deliveries")["items"]
    assert (mine["state"], mine["recipient"]) == ("sent", "clerk@luodi.example")
    assert {row["recipient"] for row in county.get("officer", "/deliveries")["items"]} == {"clerk@luodi.example", "officer@luodi.example"}
    assert county.get("other", "/deliveries")["items"] == []
    first = county.get("officer", "/deliveries", limit=1)
    second = county.get("officer", "/deliveries", limit=1, cursor=first["next_cursor"])
    assert second["next_cursor"] is None and first["items"] != second["items"]
    run = county.get("officer", "/runs/2026-06-10")
    assert (run["state"], run["deliveries"]) == ("done", {"sent": 2})
    assert "opened" not in county.get("clerk", "/runs")["items"][0]

    assert county.post("officer", f"/deliveries/{mine['id']}/resend", {}, 409)["code"] == "refused"
    with county.database.write() as connection:
        connection.execute(sa.update(Delivery).where(Delivery.id == mine["id"]).values(state="uncertain", reason="连接中断"))
    assert county.post("clerk", f"/deliveries/{mine['id']}/resend", {}, 403)["code"] == "forbidden"
    county.post("officer", f"/deliveries/{mine['id']}/resend", {})
    daily(county.house)
    (again,) = county.get("clerk", "/deliveries", state="sent")["items"]
    assert again["message_id"] == mine["message_id"]
