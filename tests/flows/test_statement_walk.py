"""A statement's line leads back from the charge to the order, the click and the impression it came from."""

import pytest

from adserver.domain.pricing import AdEvent
from adserver.flows.statement import NamedLine
from adserver.writes import ForgetVisitor, Result, SettleConversion
from tests.domain.makers import DAY_MS, HOUR_MS, NOW_MS, make_advertiser
from tests.flows.books import advertisers_books
from tests.flows.street import PRICE, SALE, VISITOR, Street, sale_terms

LATER_MS = NOW_MS + DAY_MS


def lines_of(street: Street) -> list[NamedLine]:
    """November, as the shop's statement tells it."""
    pieces = advertisers_books(street.storage).pieces(make_advertiser(), 2026, 11)
    return [line for piece in pieces for line in piece]


@pytest.fixture
def clicked(street: Street) -> Street:
    """A campaign paid by the sale, whose ad was seen and an hour later clicked; then a day passed."""
    street.open(**sale_terms())
    token = street.token()
    street.now_ms += 1_000
    street.see(token)
    street.now_ms = NOW_MS + HOUR_MS
    street.click(token)
    street.now_ms = LATER_MS
    return street


def test_a_clicks_line_names_its_impression_product_and_checks(street: Street) -> None:
    street.open()
    token = street.token()
    street.now_ms += 1_000
    street.see(token)
    street.now_ms += 5_000
    assert street.click(token)[1] is Result.TAKEN
    (line,) = lines_of(street)
    assert (line.line.event, line.line.amount, line.kind) == (AdEvent.CLICK, PRICE, "charge")
    assert (line.origin.impression_ms, line.origin.click_ms) == (NOW_MS + 1_000, NOW_MS + 6_000)
    assert (line.item_id, line.campaign, line.domain) == ("boots", "Autumn", "news.example")
    assert line.checks == ("token ok", "not suspect")


def test_an_order_told_by_the_server_leads_back_to_the_click(clicked: Street) -> None:
    token = clicked.signed(impression_id=lines_impression(clicked), decided_at_ms=NOW_MS)
    assert clicked.order(click_id=clicked.click_id(token), occurred_at_ms=LATER_MS).outcome.result == "taken"
    (line,) = lines_of(clicked)
    assert (line.line.event, line.line.amount) == (AdEvent.CONVERSION, SALE)
    assert (line.origin.impression_ms, line.origin.click_ms) == (NOW_MS + 1_000, NOW_MS + HOUR_MS)
    order = line.origin.order
    assert order is not None
    assert (order.event, order.by_server, order.occurred_ms) == ("purchase", True, LATER_MS)
    assert line.checks == ("within click window 30 d", "told by server")


def lines_impression(street: Street) -> int:
    ((charge,),) = street.rows("SELECT charge_id FROM ad_events WHERE charge_id & 3 = 0")
    assert isinstance(charge, int)
    return charge >> 2


def test_a_browsers_order_says_who_approved_it(clicked: Street) -> None:
    clicked.hit(e="purchase", transaction_id="R-1", value="80", currency="EUR")
    clicked.convert.credit_new()
    assert lines_of(clicked) == []
    ((key,),) = clicked.rows("SELECT conversion_key FROM conversions WHERE state = 'pending'")
    write = SettleConversion(key, True, "nobody objected in time", LATER_MS + DAY_MS)  # type: ignore[arg-type]
    assert clicked.storage.writer.commit(write).result is Result.TAKEN
    (line,) = lines_of(clicked)
    assert line.line.at_ms == LATER_MS + DAY_MS
    assert line.checks == ("within click window 30 d", "approved: nobody objected in time")


def test_a_visitor_who_is_forgotten_leaves_the_line_as_it_was(clicked: Street) -> None:
    token = clicked.signed(impression_id=lines_impression(clicked), decided_at_ms=NOW_MS)
    clicked.order(click_id=clicked.click_id(token), occurred_at_ms=LATER_MS)
    before = lines_of(clicked)
    assert len(before) == 1
    assert clicked.storage.writer.commit(ForgetVisitor(VISITOR, 1, LATER_MS)).result is Result.SAVED
    assert lines_of(clicked) == before
    assert clicked.spent() == (SALE, 0)
