"""A pixel's hit is stored with consent, or refused by one name that is counted; never a trace without."""

from collections.abc import Callable

import msgspec
import pytest

from adserver.domain.caller import Caller
from pixel.consent import Basis, Region
from pixel.cookie import DEVELOPMENT_NAMES, KeyRing, read_visitor
from pixel.events import EventName, Rejection
from pixel.parse import from_query
from tests.domain.makers import ADVERTISER
from tests.flows.street import SHOPPER, VISITOR, Street
from tests.pixel.consent_strings import VENDOR, make_gpp, make_tc, make_usnat

STRICT = msgspec.structs.replace(SHOPPER, region=Region.STRICT)
NOBODY = msgspec.structs.replace(SHOPPER, visitor_key=0)
PROVEN = {"consent": "1", "consent_cmp": "didomi", "consent_time": "1794999000"}


@pytest.fixture
def shop(street: Street) -> Street:
    street.open_shop()
    return street


def caller(**fields: object) -> Caller:
    return msgspec.structs.replace(SHOPPER, **fields)


def assert_nothing_is_stored(street: Street) -> None:
    for table in ("events", "profiles", "conversions"):
        assert street.rows(f"SELECT * FROM {table}") == []


def test_a_view_is_stored_and_remembered(shop: Street) -> None:
    collected = shop.hit()
    assert (collected.rejection, collected.set_cookie) == (None, None)
    assert shop.rows("SELECT advertiser_key, visitor_key FROM events") == [(ADVERTISER, VISITOR)]
    profile = shop.storage.profiles.profile(VISITOR)
    assert profile is not None and profile.shop(ADVERTISER) is not None


FOR_WANT_OF_CONSENT = (
    Rejection.NO_CONSENT,
    Rejection.OPTED_OUT,
    Rejection.PRIVACY_SIGNAL,
    Rejection.KNOWN_CHILD,
)
REFUSED: list[tuple[Rejection, Callable[[Street], object]]] = [
    (Rejection.UNKNOWN_MERCHANT, lambda shop: shop.hit(m="nobody")),
    (Rejection.FOREIGN_ORIGIN, lambda shop: shop.hit(caller(origin="evil.example"))),
    (Rejection.FOREIGN_ORIGIN, lambda shop: shop.hit(caller(origin="shop.example.evil.example"))),
    (Rejection.FOREIGN_ORIGIN, lambda shop: shop.hit(caller(origin="notshop.example"))),
    (Rejection.QUERY_TOO_LONG, lambda shop: shop.hit(url="https://shop.example/" + "a" * 9000)),
    (Rejection.UNKNOWN_EVENT, lambda shop: shop.hit(e="no_such_event")),
    (Rejection.BAD_ITEM_ID, lambda shop: shop.hit(id="\n")),
    (Rejection.PERSONAL_DATA, lambda shop: shop.hit(id="anna@example.org")),
    (Rejection.ROBOT, lambda shop: shop.hit(caller(robot=Rejection.ROBOT))),
    (Rejection.PREFETCH, lambda shop: shop.hit(caller(robot=Rejection.PREFETCH))),
    (Rejection.NO_CONSENT, lambda shop: shop.hit(STRICT)),
    (Rejection.NO_CONSENT, lambda shop: shop.hit(gdpr="1")),
    (Rejection.NO_CONSENT, lambda shop: shop.hit(gdpr="1", gdpr_consent="CPXxRfAPXxRfAAfKABENB")),
    (Rejection.NO_CONSENT, lambda shop: shop.hit(consent="0")),
    (Rejection.NO_CONSENT, lambda shop: shop.hit(caller(region=Region.STRICT, origin=None), **PROVEN)),
    (Rejection.OPTED_OUT, lambda shop: shop.hit(caller(opted_out=True))),
    (Rejection.PRIVACY_SIGNAL, lambda shop: shop.hit(caller(global_privacy_control=True))),
    (Rejection.PRIVACY_SIGNAL, lambda shop: shop.hit(gpc="1")),
    (Rejection.PRIVACY_SIGNAL, lambda shop: shop.hit(us_privacy="1YYN")),
    (Rejection.KNOWN_CHILD, lambda shop: shop.hit(coppa="1")),
]


@pytest.mark.parametrize(("rejection", "act"), REFUSED, ids=lambda value: str(getattr(value, "value", "")))
def test_what_is_refused_leaves_no_trace_but_a_count(
    shop: Street, rejection: Rejection, act: Callable[[Street], object]
) -> None:
    collected = act(shop)
    assert collected.rejection is rejection  # type: ignore[attr-defined]
    assert collected.stored == []  # type: ignore[attr-defined]
    assert_nothing_is_stored(shop)
    counts = {**shop.counted(0), **shop.counted()}
    reasons = [counts.pop(name) for name in list(counts) if name.startswith("consent_")]
    for name in [name for name in counts if name.startswith(("identity_", "asserted_", "commit_"))]:
        del counts[name]
    assert counts == {f"rejected_{rejection}": 1}
    assert reasons == [1] or rejection not in FOR_WANT_OF_CONSENT


@pytest.mark.parametrize(
    ("basis", "query"),
    [
        (Basis.NO_USABLE_STRING, {"gdpr": "1"}),
        (Basis.TC_UNREADABLE, {"gdpr": "1", "gdpr_consent": "CPXxRfAPXxRfAAfKABENB"}),
        (Basis.NO_VENDOR_ID, {"gdpr": "1", "gdpr_consent": make_tc()}),
        (Basis.PURPOSE_REFUSED, {"gdpr": "1", "gdpr_consent": make_tc(purposes=(3, 4, 7))}),
        (Basis.TC_EXPIRED, {"gdpr": "1", "gdpr_consent": make_tc(updated_ms=0)}),
        (Basis.SALE_OPT_OUT, {"us_privacy": "1YYN"}),
        (Basis.SALE_OPT_OUT, {"gpp": make_gpp({7: make_usnat(sale=1)}), "gpp_sid": "7"}),
        (Basis.AD_STORAGE_DENIED, {"ad_storage": "denied"}),
        (Basis.AD_USER_DATA_DENIED, {"ad_user_data": "denied"}),
        (Basis.REFUSED, {"consent": "0"}),
    ],
)
def test_the_reason_for_each_no_is_counted(shop: Street, basis: Basis, query: dict[str, str]) -> None:
    assert shop.hit(**query).rejection in (Rejection.NO_CONSENT, Rejection.PRIVACY_SIGNAL)
    assert shop.counted()[f"consent_{basis}"] == 1
    assert_nothing_is_stored(shop)


def test_a_string_that_names_our_own_iab_id_is_stored_where_silence_is_a_no(shop: Street) -> None:
    said = {"gdpr": "1", "gdpr_consent": make_tc()}
    assert shop.hit(STRICT, **said).rejection is Rejection.NO_CONSENT
    shop.register(VENDOR)
    assert shop.hit(STRICT, **said).rejection is None
    assert shop.hit(STRICT, gpp=make_gpp({2: said["gdpr_consent"]}), gpp_sid="2").rejection is None
    assert len(shop.rows("SELECT * FROM events")) == 2
    shop.register(VENDOR + 1)
    assert shop.hit(STRICT, **said).rejection is Rejection.NO_CONSENT
    assert shop.counted()["consent_vendor_not_disclosed"] == 1


@pytest.mark.parametrize(
    ("who", "query"),
    [
        (STRICT, {}),
        (caller(global_privacy_control=True), {}),
        (caller(opted_out=True), {}),
        (NOBODY, {"gdpr": "1"}),
        (NOBODY, {"gpc": "1"}),
        (NOBODY, {"coppa": "1"}),
    ],
)
def test_without_consent_nobody_is_given_a_cookie(shop: Street, who: Caller, query: dict[str, str]) -> None:
    collected = shop.hit(msgspec.structs.replace(who, visitor_key=0), **query)
    assert collected.set_cookie is None
    assert_nothing_is_stored(shop)


def test_a_yes_that_names_its_tool_and_time_is_stored_where_silence_is_a_no(shop: Street) -> None:
    assert shop.hit(STRICT, **PROVEN).rejection is None
    assert len(shop.rows("SELECT * FROM events")) == 1


def test_a_browser_that_opted_out_loses_our_cookie(shop: Street) -> None:
    collected = shop.hit(caller(opted_out=True))
    assert collected.set_cookie is not None and b"Max-Age=0" in collected.set_cookie
    assert shop.hit(caller(opted_out=True, visitor_key=0)).set_cookie is None


def test_a_new_browser_is_given_a_cookie_that_names_it_again(shop: Street) -> None:
    collected = shop.hit(msgspec.structs.replace(NOBODY, secure=False))
    assert collected.set_cookie is not None
    header = collected.set_cookie.split(b";")[0]
    found = read_visitor(header, KeyRing(1, {1: b"c" * 32}), DEVELOPMENT_NAMES)
    [(stored,)] = shop.rows("SELECT visitor_key FROM events")
    assert found.visitor == stored != 0
    assert shop.rows("SELECT * FROM profiles") == []  # until it comes back
    assert shop.hit(caller(visitor_key=stored)).set_cookie is None
    assert len(shop.rows("SELECT * FROM profiles")) == 1


def test_a_cookie_that_is_not_ours_is_counted_and_replaced(shop: Street) -> None:
    collected = shop.hit(caller(visitor_key=0, cookie_flaw="forged"))
    assert collected.set_cookie is not None
    assert shop.counted()["cookie_forged"] == 1


def test_a_sub_domain_of_the_shop_is_the_shop(shop: Street) -> None:
    assert shop.hit(caller(origin="www.shop.example")).rejection is None


def test_of_several_events_the_good_ones_are_kept(shop: Street) -> None:
    hit = from_query(b"m=shop&e=view_item&id=boots")
    mixed = msgspec.structs.replace(hit, rejections=(Rejection.UNKNOWN_EVENT,))
    assert shop.collect.take(mixed, SHOPPER).rejection is None
    assert shop.counted()["rejected_unknown_event"] == 1


def test_a_bad_price_is_counted_and_the_event_kept(shop: Street) -> None:
    assert shop.hit(e="purchase", value="-100", currency="EUR", transaction_id="R-1").rejection is None
    assert shop.counted()["flaw_bad_value"] == 1
    assert shop.rows("SELECT value_micros FROM conversions") == [(None,)]


# ---- orders ----


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"e": "purchase", "transaction_id": "R-1001"}, 1),
        ({"e": "purchase"}, 0),  # an order without an id cannot be told from another
        ({"e": "generate_lead", "lead_id": "R-1001", "id": None}, 1),
        ({"e": "generate_lead", "id": None}, 1),
        ({"e": "sign_up", "id": None}, 1),
        ({"e": "form_submit", "id": None}, 1),
        ({"e": "add_to_cart"}, 0),
    ],
)
def test_orders_and_leads_wait_for_attribution(shop: Street, query: dict[str, str], told: int) -> None:
    assert shop.hit(**query).rejection is None
    assert len(shop.storage.conversions.new(9)) == told


def test_an_order_id_is_stored_as_a_digest_only(shop: Street) -> None:
    shop.hit(e="purchase", transaction_id="SECRET-R-1001", value="80", currency="EUR")
    shop.hit(e="generate_lead", id=None, lead_id="SECRET-L-77")
    held = b"".join(path.read_bytes() for path in shop.storage.path.parent.glob("adserver.db*"))
    assert b"view_item" in held or b"purchase" in held
    assert b"SECRET" not in held


def test_the_same_order_is_one_conversion_whatever_its_event_says(shop: Street) -> None:
    for value in ("80", "90"):
        shop.hit(e="purchase", transaction_id="R-1", value=value, currency="EUR")
    assert shop.rows("SELECT value_micros FROM conversions") == [(80_000_000,)]


def test_the_merchants_trust_is_noted_with_the_order(street: Street) -> None:
    street.open_shop(trust_pixel_conversions=True)
    street.hit(e="purchase", transaction_id="R-1")
    [conversion] = street.storage.conversions.new(9)
    assert conversion.trusted and conversion.event is EventName.PURCHASE


def test_a_merchant_made_a_moment_ago_is_known(street: Street) -> None:
    assert street.hit().rejection is Rejection.UNKNOWN_MERCHANT
    street.open_shop()
    assert street.hit().rejection is None


def test_the_shop_of_a_tag_is_named_by_its_public_id_only(shop: Street) -> None:
    assert shop.hit(m=str(ADVERTISER)).rejection is Rejection.UNKNOWN_MERCHANT
