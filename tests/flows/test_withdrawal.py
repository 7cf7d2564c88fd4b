"""A yes is taken back on the page that gave it: that merchant's part is erased, the id with the last of it."""

from collections.abc import Callable

import msgspec
import pytest

from adserver.domain.campaign import Advertiser
from adserver.domain.consent_record import Ended
from adserver.domain.visitor import MOST_SHOPS
from adserver.flows.collect import Collected
from adserver.flows.privacy import Privacy
from adserver.writes import Aged, PurgeAged, Result, StoreEvent
from pixel.consent import Region
from pixel.events import Event, EventName
from pixel.parse import from_query
from tests.contract.stores import save_new
from tests.domain.makers import ADVERTISER, CAMPAIGN, DAY_MS, make_advertiser, make_campaign, make_creative
from tests.flows.street import READER, SALE, SHOPPER, VISITOR, Street, outcome_of, sale_terms
from tests.pixel.consent_strings import VENDOR, make_tc

OTHER = ADVERTISER + 1
OTHER_SHOPPER = msgspec.structs.replace(SHOPPER, origin="other.example")
NO = {"consent": "0"}


@pytest.fixture
def town(street: Street) -> Street:
    street.register(VENDOR)
    street.open(addresses_buyers=True)  # an order at the shop does not end its ads
    save_new(street.storage, other_shop(), make_campaign(key=CAMPAIGN + 5, advertiser_key=OTHER))
    return street


def other_shop() -> Advertiser:
    return make_advertiser(key=OTHER, public_id="other", domains=("other.example",))


def live(street: Street) -> None:
    """See an ad and click it, and order something else at the shop."""
    token = street.token()
    street.see(token)
    street.now_ms += 1_000
    street.click(token)
    street.hit(e="purchase", id="hat", transaction_id="R-1", value="80", currency="EUR")


def look_elsewhere(street: Street) -> None:
    assert street.hit(OTHER_SHOPPER, m="other", id="hat").rejection is None


def withdraw(street: Street, caller: object = SHOPPER, **said: object) -> Collected:
    collected = street.hit(caller, posted=True, **said)  # type: ignore[arg-type]
    if collected.withdrawal is not None:
        assert outcome_of(collected.withdrawal).result in (Result.SAVED, Result.FORGOTTEN)
    return collected


def named(street: Street, key: int = VISITOR) -> dict[str, int]:
    """How many rows of each table name the visitor."""
    tables = ("events", "profiles", "ad_events", "decisions", "conversions")
    count = "SELECT COUNT(*) FROM {} WHERE visitor_key = ?"
    rows = {table: street.rows(count.format(table), key)[0][0] for table in tables}
    return {table: int(str(n)) for table, n in rows.items() if n}


def test_a_no_on_the_shops_page_erases_the_shops_part_and_the_id_with_it(town: Street) -> None:
    live(town)
    assert len(named(town)) == 5
    spent = town.spent()
    collected = withdraw(town, **NO)
    assert collected.rejection is not None and not collected.stored
    assert collected.set_cookie is not None and b"Max-Age=0" in collected.set_cookie
    assert named(town) == {}
    assert town.spent() == spent != (0, 0)
    assert len(town.rows("SELECT * FROM ad_events")) == 3
    assert town.orders() == [(False, "not_billable", "not_cpa")]
    assert town.rows("SELECT click_id FROM conversions") == [(None,)]
    assert town.rows("SELECT receipt_key FROM erasures") == [(0,)]
    assert town.counted()["withdrawn"] == 1
    town.assert_audit_is_clean()
    assert not town.visit().filled


def test_another_shop_keeps_its_part_and_the_browser_its_cookie(town: Street) -> None:
    live(town)
    look_elsewhere(town)
    collected = withdraw(town, **NO)
    assert collected.set_cookie is None
    assert named(town) == {"events": 1, "profiles": 1}
    profile = town.storage.profiles.profile(VISITOR)
    assert profile is not None
    assert [shop.advertiser_key for shop in profile.shops] == [OTHER]
    assert (profile.touches, profile.shown) == ([], [])
    assert town.rows("SELECT * FROM erasures") == []
    assert withdraw(town, OTHER_SHOPPER, m="other", **NO).set_cookie is not None
    assert named(town) == {}


def test_what_is_under_way_does_not_bring_back_who_was_forgotten(town: Street) -> None:
    token = town.token()
    withdraw(town, **NO)
    town.see(token)
    town.look()
    assert named(town) == {}


@pytest.mark.parametrize(
    "said",
    [
        NO,
        {"ad_storage": "denied"},
        {"gdpr": "1", "gdpr_consent": make_tc(purposes=(3, 4, 7))},
        {"gdpr": "1", "gdpr_consent": make_tc(purposes=(1, 4, 7))},
        {"gdpr": "1", "gdpr_consent": make_tc(vendors=())},
    ],
)
def test_every_explicit_no_withdraws(town: Street, said: dict[str, str]) -> None:
    withdraw(town, **said)
    assert named(town) == {}


def test_a_no_to_the_profile_alone_erases_it_and_counts_the_order_of_nobody(town: Street) -> None:
    said = {"gdpr": "1", "gdpr_consent": make_tc(purposes=(1, 4, 7))}
    collected = withdraw(town, e="purchase", transaction_id="R-1", **said)
    assert (collected.rejection, len(collected.stored)) == (None, 1)
    assert named(town) == {}
    assert town.rows("SELECT visitor_key FROM conversions") == [(0,)]
    stranger = msgspec.structs.replace(SHOPPER, visitor_key=VISITOR + 1)
    assert withdraw(town, stranger, **said).set_cookie is None  # which may be stored, and holds nothing


FORGED: list[Callable[[Street], Collected]] = [
    lambda town: town.hit(**NO),  # an address anybody may put in a picture on the shop's page
    lambda town: withdraw(town, msgspec.structs.replace(SHOPPER, origin="evil.example"), **NO),
    lambda town: withdraw(town, msgspec.structs.replace(SHOPPER, origin="news.example"), **NO),
    lambda town: withdraw(town, msgspec.structs.replace(SHOPPER, origin=None), **NO),
    lambda town: withdraw(town, OTHER_SHOPPER, m="other", **NO),
    lambda town: withdraw(town, OTHER_SHOPPER, **NO),
    lambda town: withdraw(town, msgspec.structs.replace(SHOPPER, visitor_key=0), **NO),
    lambda town: withdraw(town, msgspec.structs.replace(SHOPPER, visitor_key=VISITOR + 1), **NO),
    lambda town: withdraw(town, msgspec.structs.replace(SHOPPER, global_privacy_control=True)),
    lambda town: withdraw(town, msgspec.structs.replace(SHOPPER, region=Region.STRICT)),
    lambda town: withdraw(town, us_privacy="1YYN"),
    lambda town: withdraw(town, gdpr="1", gdpr_consent="nonsense"),
    lambda town: withdraw(town, gdpr="1", gdpr_consent=make_tc(purposes=(), updated_ms=0)),
    lambda town: withdraw(town, coppa="1"),
]


@pytest.mark.parametrize("act", FORGED)
def test_neither_a_foreign_page_nor_anything_but_an_explicit_no_erases(
    town: Street, act: Callable[[Street], Collected]
) -> None:
    live(town)
    before = named(town)
    assert act(town).withdrawal is None
    assert named(town) == before
    assert "withdrawn" not in town.counted() and "withdrawn" not in town.counted(OTHER)
    assert town.visit().filled


def test_a_no_in_a_slot_governs_that_request_only(town: Street) -> None:
    live(town)
    before = named(town)
    assert not town.visit(asserted=False).filled
    assert not town.visit(msgspec.structs.replace(READER, opted_out=True)).filled
    assert named(town) == before
    assert town.visit().filled


def test_our_opt_out_erases_all_shops_parts_from_any_page(town: Street) -> None:
    live(town)
    look_elsewhere(town)
    collected = withdraw(town, msgspec.structs.replace(SHOPPER, opted_out=True, origin=None))
    assert collected.set_cookie is not None and b"Max-Age=0" in collected.set_cookie
    assert named(town) == {}


def test_a_browser_that_holds_nothing_of_the_shop_costs_no_write(town: Street) -> None:
    stranger = msgspec.structs.replace(SHOPPER, visitor_key=VISITOR + 1)
    collected = withdraw(town, stranger, **NO)
    assert collected.withdrawal is None
    assert collected.set_cookie is not None  # it holds nothing at all
    withdraw(town, **NO)
    assert town.counted()["withdrawn"] == 1


def test_a_shop_that_fell_out_of_a_full_profile_is_withdrawn_from_too(town: Street) -> None:
    for number in range(MOST_SHOPS):
        look = Event(EventName.VIEW_ITEM)
        town.storage.writer.commit(StoreEvent(number, OTHER + number, VISITOR, False, look, town.now_ms))
    profile = town.storage.profiles.profile(VISITOR)
    assert profile is not None and profile.shop(ADVERTISER) is None
    assert withdraw(town, **NO).withdrawal is not None
    assert town.rows("SELECT * FROM events WHERE advertiser_key = ?", ADVERTISER) == []
    assert named(town) == {"events": MOST_SHOPS, "profiles": 1}


def test_rows_without_a_profile_are_withdrawn_too_before_the_cookie_goes(town: Street) -> None:
    live(town)
    later_ms = town.now_ms + 200 * DAY_MS
    for what in (Aged.PROFILES, Aged.EVENTS):
        town.storage.writer.commit(PurgeAged(what, later_ms, 100))
    assert "ad_events" in named(town) and town.storage.profiles.profile(VISITOR) is None
    collected = withdraw(town, **NO)
    assert collected.set_cookie is not None
    assert named(town) == {}


# ---- what was ordered before ----


def buy(street: Street, reference: str) -> Collected:
    return street.hit(e="purchase", transaction_id=reference, value="80", currency="EUR")


@pytest.fixture
def sold(street: Street) -> Street:
    """A shop that pays by the sale and trusts its pixel; its ad was clicked, and something ordered."""
    street.open_shop(trust_pixel_conversions=True)
    save_new(street.storage, make_campaign(**sale_terms()), make_creative())
    street.look()
    token = street.token()
    street.now_ms += 1_000
    street.click(token)
    buy(street, "R-1")
    return street


def forget(street: Street) -> None:
    privacy = Privacy(
        street.memory, street.storage, street.clock, lambda: 77, street.secrets.tokens,
        street.convert.credit_visitor,
    )  # fmt: skip
    assert privacy.forget(VISITOR, Ended.FORGOTTEN) is not None


def opt_out(street: Street) -> None:
    withdraw(street, msgspec.structs.replace(SHOPPER, opted_out=True))


@pytest.mark.parametrize("leave", [lambda street: withdraw(street, **NO), opt_out, forget])
def test_what_was_ordered_before_is_credited_and_paid_before_its_visitor_is_erased(
    sold: Street, leave: Callable[[Street], object]
) -> None:
    leave(sold)
    assert sold.orders() == [(False, "taken", "")]
    assert sold.spent() == (SALE, 0)
    assert named(sold) == {}
    assert sold.rows("SELECT click_id FROM conversions") == [(None,)]
    assert sold.convert.credit_new() == 0
    sold.assert_audit_is_clean()


def test_an_order_under_way_when_the_no_arrives_is_credited_too(sold: Street) -> None:
    """The no is heard while the order still waits for the disk."""
    purchase = from_query(b"m=shop&e=purchase&transaction_id=R-2&value=8&currency=EUR")
    ordered = sold.collect.take(purchase, SHOPPER)
    withdraw(sold, **NO)
    assert [outcome_of(stored).result for stored in ordered.stored] == [Result.ACCEPTED]
    assert [state for _, state, _ in sold.orders()] == ["taken", "taken"]
    assert named(sold) == {}


def test_an_order_that_cannot_be_credited_does_not_keep_its_visitor(
    sold: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ArithmeticError("of a test")

    monkeypatch.setattr(sold.convert, "_attributed", fail)
    withdraw(sold, **NO)
    assert [state for _, state, _ in sold.orders()] == ["new"]
    assert named(sold) == {}


def test_a_withdrawal_that_cannot_read_the_orders_is_to_be_said_again(
    sold: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("of a test")

    before = named(sold)
    monkeypatch.setattr(sold.convert, "credits_of", fail)
    refused = sold.hit(posted=True, **NO).withdrawal
    assert refused is not None and outcome_of(refused).result is Result.UNRECORDED
    assert named(sold) == before
    monkeypatch.undo()
    withdraw(sold, **NO)
    assert named(sold) == {}
