"""`known_at` as a date: by the end of that business day."""

from tests.cast import County


def test_known_on_a_date_means_by_the_end_of_it(county: County) -> None:
    ref = county.register()
    county.at("2026-06-10T23:59:59+08:00")
    county.sign(ref)
    assert county.get("clerk", f"/projects/{ref}", known_at="2026-06-10")["stage"] == "signed"
    county.at("2026-06-12T09:00:00+08:00")
    county.land(ref, "2026-05-10")
    assert county.get("clerk", f"/projects/{ref}", known_at="2026-06-10")["stage"] == "signed"
    assert county.get("clerk", f"/projects/{ref}", known_at="2026-06-10")["as_of"] == "2026-06-10"
    assert county.get("clerk", f"/projects/{ref}", known_at="2026-06-12")["stage"] == "land"
    assert county.get("clerk", f"/projects/{ref}", 404, known_at="2026-06-09")["code"] == "not_found"
    assert county.get("clerk", "/projects", 422, known_at="2026-06-13")["code"] == "known_at_in_future"
