"""A visitor sees an ad and clicks it, and the next report says on which kind of device."""

from pathlib import Path

from tests.web.visiting import Visiting

PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.0 Mobile/15E148 Safari/604.1"
)


def test_what_a_visitor_sees_is_in_the_next_report_by_device(tmp_path: Path) -> None:
    world = Visiting(tmp_path)
    try:
        browser = world.browser(**{"User-Agent": PHONE})
        assert browser.view() == "accepted"
        token = browser.see()
        assert browser.ask("GET", f"/c?t={token}").status_code == 302
        world.server.report_counts()
        asked = "metrics=fills,impressions,clicks,spend_micros&group_by=device,campaign"
        told = world.change("GET", f"/reports?{asked}")
        (row,) = told["rows"]
        assert (row["group"]["device"]["id"], row["group"]["campaign"]["id"]) == ("mobile", world.campaign)
        figures = {"fills": 1, "impressions": 1, "clicks": 1, "spend_micros": 500_000}
        assert (row["currency"], row["figures"]) == ("EUR", figures)
        (slot,) = world.change("GET", "/reports?metrics=requests,fills,spend_micros&group_by=slot")["rows"]
        assert slot["figures"] == {"requests": 1, "fills": 1, "spend_micros": 500_000}
    finally:
        world.close()
