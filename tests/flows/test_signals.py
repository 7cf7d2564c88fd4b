"""Each signal of privacy, through pixel and slot as they are: whether a cookie, what is stored, what is shown."""

import msgspec
import pytest

from adserver.domain.caller import Caller
from adserver.flows.serve import SlotRequest
from pixel.consent import Region
from pixel.parse import said_in
from tests.contract.stores import save_new
from tests.domain.makers import SLOT, make_campaign, make_creative
from tests.flows.street import READER, SHOPPER, VISITOR, Street, sale_terms
from tests.pixel.consent_strings import VENDOR, make_gpp, make_tc, make_usnat, restriction

EVERYTHING, ORDERS, UNMEASURED, NOTHING = "everything", "orders of nobody", "a profile, no order", "nothing"


class Row(msgspec.Struct):
    """A signal, who sends it, and what it leaves."""

    name: str
    said: dict[str, str]
    sets_cookie: bool
    stored: str
    is_shown: bool
    caller: dict[str, object] = {}


def tc(**fields: object) -> dict[str, str]:
    return {"gdpr": "1", "gdpr_consent": make_tc(**fields)}  # type: ignore[arg-type]


ROWS = [
    Row("everything agreed", tc(), True, EVERYTHING, True),
    Row("no string", {"gdpr": "1"}, False, NOTHING, False),
    Row("an invalid string", {"gdpr": "1", "gdpr_consent": "CPXxRfAPXxRf"}, False, NOTHING, False),
    Row("an expired string", tc(updated_ms=0), False, NOTHING, False),
    Row("our vendor off", tc(vendors=()), False, NOTHING, False),
    Row("our vendor not disclosed", tc(disclosed=(VENDOR - 1,)), False, NOTHING, False),
    Row("1 off", tc(purposes=(3, 4, 7)), False, NOTHING, False),
    Row("our opt-out", tc(), False, NOTHING, False, {"opted_out": True}),
    Row("1 on, 3 off", tc(purposes=(1, 4, 7)), True, ORDERS, False),
    Row("1 on, 3 and 7 off", tc(purposes=(1, 4)), True, NOTHING, False),
    Row("1 and 3 on, 4 off", tc(purposes=(1, 3, 7)), True, EVERYTHING, False),
    Row("7 off", tc(purposes=(1, 3, 4)), True, UNMEASURED, False),
    Row("3 restricted by the publisher", tc(restrictions=[restriction(3, 0)]), True, ORDERS, False),
    Row("7 restricted by the publisher", tc(restrictions=[restriction(7, 0)]), True, UNMEASURED, False),
    Row("Sec-GPC", tc(), False, NOTHING, False, {"global_privacy_control": True}),
    Row("sale opted out", {"gpp": make_gpp({7: make_usnat(sale=1)})}, False, NOTHING, False),
    Row("sharing opted out", {"gpp": make_gpp({7: make_usnat(sharing=1)})}, False, NOTHING, False),
    Row("targeting opted out", {"gpp": make_gpp({7: make_usnat(targeted=1)})}, False, NOTHING, False),
    Row("a known child", {"gpp": make_gpp({7: make_usnat(child=1)})}, False, NOTHING, False),
    Row("coppa", tc() | {"coppa": "1"}, False, NOTHING, False),
    Row("ad_user_data denied", {"ad_user_data": "denied"}, True, ORDERS, False),
    Row("nothing said, strict", {}, False, NOTHING, False, {"region": Region.STRICT}),
    Row("nothing said, open", {}, True, EVERYTHING, True),
    Row("a macro, strict", {"gdpr": "${GDPR}"}, False, NOTHING, False, {"region": Region.STRICT}),
    Row("a macro, open", {"gdpr_consent": "${GDPR_CONSENT_755}"}, True, EVERYTHING, True),
]


@pytest.fixture
def town(street: Street) -> Street:
    street.register(VENDOR)
    street.open()
    return street


def by(row: Row, caller: Caller, visitor_key: int) -> Caller:
    return msgspec.structs.replace(caller, **{"visitor_key": visitor_key} | row.caller)


def tell(street: Street, row: Row, visitor_key: int) -> bytes | None:
    """A view and an order of one browser; the cookie it is given."""
    who = by(row, SHOPPER, visitor_key)
    cookie = street.hit(who, **row.said).set_cookie  # type: ignore[arg-type]
    street.hit(who, e="purchase", transaction_id="R-1", **row.said)
    return cookie


def stored_of(street: Street, visitor_key: int) -> str:
    """What a browser without anything before has left on disk."""
    profile = street.storage.profiles.profile(visitor_key)
    orders = street.rows("SELECT visitor_key FROM conversions")
    told = {
        (True, ((visitor_key,),)): EVERYTHING,
        (True, ()): UNMEASURED,
        (False, ((0,),)): ORDERS,
        (False, ()): NOTHING,
    }[profile is not None, tuple(orders)]
    events = street.rows("SELECT visitor_key FROM events WHERE visitor_key != ?", VISITOR)
    kept = {EVERYTHING: 2, UNMEASURED: 2, ORDERS: 1, NOTHING: 0}[told]
    assert events == [(0 if told is ORDERS else visitor_key,)] * kept
    return told


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_on_a_shops_page_what_is_stored_is_what_the_signal_leaves(town: Street, row: Row) -> None:
    tell(town, row, VISITOR + 1)
    assert stored_of(town, VISITOR + 1) == row.stored


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_new_browser_is_given_a_cookie_where_purpose_1_allows_it(town: Street, row: Row) -> None:
    cookie = tell(town, row, 0)
    assert (cookie is not None) is row.sets_cookie
    assert town.rows("SELECT * FROM profiles WHERE visitor_key != ?", VISITOR) == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_in_a_slot_an_ad_is_chosen_where_all_of_it_is_allowed(town: Street, row: Row) -> None:
    served = town.serve.document(SlotRequest(SLOT, said=said_in(row.said)), by(row, READER, VISITOR))
    assert served is not None and served.filled is row.is_shown


def test_an_order_without_a_profile_is_credited_by_its_click_id_alone(street: Street) -> None:
    street.register(VENDOR)
    street.open_shop(trust_pixel_conversions=True)
    save_new(street.storage, make_campaign(**sale_terms()), make_creative())
    street.look()
    click_id = street.click_id()
    street.hit(
        msgspec.structs.replace(SHOPPER, visitor_key=VISITOR + 1),
        e="purchase",
        transaction_id="R-1",
        rtclid=click_id,
        value="80",
        currency="EUR",
        **tc(purposes=(1, 4, 7)),
    )
    street.convert.credit_new()
    assert street.rows("SELECT state, visitor_key, click_id FROM conversions") == [("taken", 0, None)]
    assert street.storage.profiles.profile(VISITOR + 1) is None
    street.assert_audit_is_clean()


def test_a_profile_is_kept_where_only_choosing_by_it_was_refused(town: Street) -> None:
    """On the shop's page; a publisher's page with a yes may show what it holds."""
    refused = tc(purposes=(1, 3, 7))
    assert not town.visit(**refused).filled
    town.hit(SHOPPER, id="boots", **refused)
    assert town.visit(**tc()).filled
