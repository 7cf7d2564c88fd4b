"""A slot is answered with the visitor's own products, signed, or with the house's, and every no is counted."""

import re
from pathlib import Path
from urllib.parse import unquote

import msgspec
import pytest

from adserver.domain.caller import Caller
from adserver.domain.campaign import FrequencyCap, Period, Status
from adserver.domain.catalogue import Availability, Product
from adserver.domain.decision import Decision, NoAd
from adserver.domain.eligibility import Refusal
from adserver.domain.identity import product_key
from adserver.domain.money import Micros
from adserver.domain.pricing import PricingModel
from adserver.domain.slot import Slot
from adserver.domain.validity import Limits
from adserver.domain.visitor import Profile
from adserver.flows.serve import ServedImage, SlotRequest
from adserver.ports import Profiles
from adserver.storage import under_way
from adserver.storage.under_way import monotonic_ms
from adserver.writes import AddCounts, RemoveProductsNotIn, Result, SaveProducts
from pixel.consent import Region
from pixel.events import EventName, Rejection
from tests.contract.stores import save, save_new
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    CREATIVE,
    SLOT,
    make_advertiser,
    make_campaign,
    make_creative,
    make_message,
    make_product,
    make_site,
    make_slot,
)
from tests.flows.street import BOOTS, HOUSE_URL, PRICE, READER, SHOPPER, VISITOR, Street, settled
from tests.pixel.consent_strings import VENDOR, make_tc

CPM = {"pricing_model": PricingModel.CPM}
TESTER = msgspec.structs.replace(READER, test=True)
ASK = SlotRequest(SLOT)


@pytest.fixture
def shown(street: Street) -> Street:
    street.open()
    return street


def refusals(street: Street, caller: Caller = READER) -> dict[int, Refusal]:
    answer = street.serve.explain(ASK, caller)
    assert isinstance(answer, Decision | NoAd)
    return answer.refusals


def stock(street: Street, *products: Product) -> None:
    street.storage.writer.commit(SaveProducts(ADVERTISER, products))


def other_shop(street: Street, **campaign: object) -> None:
    """A second shop whose boots this visitor has seen too, with a campaign of its own."""
    boots = make_product("boots", key=product_key(9, "boots"), advertiser_key=9)
    save_new(street.storage, make_advertiser(key=9, public_id="other", domains=("other.example",)))
    save_new(street.storage, make_campaign(key=90, advertiser_key=9, **campaign))
    save_new(street.storage, make_creative(key=900, campaign_key=90))
    street.storage.writer.commit(SaveProducts(9, (boots,)))
    assert street.hit(msgspec.structs.replace(SHOPPER, origin="other.example"), m="other").rejection is None


# ---- what is shown ----


def test_a_visitor_is_shown_what_they_looked_at(shown: Street) -> None:
    served = shown.visit()
    assert served.filled and b"The boots" in served.body
    assert served.domains == ("news.example",)
    token = shown.read(shown.token())
    assert (token.campaign_key, token.campaign_version, token.slot_key) == (CAMPAIGN, 1, SLOT)
    assert (token.creative_key, token.product_key, token.visitor_key) == (CREATIVE, BOOTS.key, VISITOR)
    assert (token.decided_at_ms, token.test) == (shown.now_ms, False)


def test_beacons_and_links_of_an_ad_are_its_own(shown: Street) -> None:
    body = shown.visit().body.decode()
    texts = re.findall(r"/[civ]\?t=([A-Za-z0-9_-]+)", body)
    assert len(texts) >= 3
    assert len({shown.read(text).impression_id for text in texts}) == 1
    assert shown.see(texts[0]) is Result.NOT_BILLABLE
    shown.now_ms += 1_000
    assert shown.click(texts[0])[1] is Result.TAKEN


def test_every_request_is_an_ad_of_its_own(shown: Street) -> None:
    ids = {shown.read(shown.token()).impression_id for _ in range(5)}
    assert len(ids) == 5


def test_each_card_leads_to_its_own_product(shown: Street) -> None:
    stock(shown, make_product("hat"))
    shown.look("hat")
    texts = [part.split('"')[0] for part in shown.visit().body.decode().split("/c?t=")[1:]]
    shown.now_ms += 1_000
    places = {shown.click(text)[0].location.split("?")[0] for text in texts}
    assert places == {"https://shop.example/boots", "https://shop.example/hat"}


def test_what_was_bought_is_not_shown_again(shown: Street) -> None:
    shown.hit(e="purchase", transaction_id="R-1")
    assert refusals(shown) == {CAMPAIGN: Refusal.BOUGHT_ALREADY}
    shown.look()  # at the same product: to see when it comes, or how it is washed
    assert refusals(shown) == {CAMPAIGN: Refusal.BOUGHT_ALREADY}
    shown.change(addresses_buyers=True)
    assert refusals(shown) == {CAMPAIGN: Refusal.NO_PRODUCT}


def test_what_is_out_of_stock_is_not_shown(shown: Street) -> None:
    stock(shown, make_product("boots", availability=Availability.OUT_OF_STOCK))
    assert refusals(shown) == {CAMPAIGN: Refusal.NO_PRODUCT}


def test_each_ad_shows_products_as_they_are_by_then(shown: Street) -> None:
    """In and out of stock, with another title, and gone: however often they were shown before."""
    assert b"The boots" in shown.visit().body
    stock(shown, make_product("boots", availability=Availability.OUT_OF_STOCK))
    assert not shown.visit().filled
    stock(shown, make_product("boots", title="Warm boots"))
    assert b"Warm boots" in shown.visit().body
    shown.storage.writer.commit(SaveProducts(ADVERTISER, (BOOTS,), feed_key=3, import_key=1))
    assert b"The boots" in shown.visit().body
    shown.storage.writer.commit(RemoveProductsNotIn(3, 2))
    assert not shown.visit().filled


def test_a_service_reminds_of_a_form_left_open(street: Street) -> None:
    street.open_shop()
    save_new(street.storage, make_campaign(), make_message())
    street.look()
    assert refusals(street) == {CAMPAIGN: Refusal.NO_OPEN_FORM}
    street.hit(e=EventName.FORM_START, id=None)
    assert b"Still here?" in street.visit().body


def test_the_same_dice_show_the_same_ad(shown: Street) -> None:
    save_new(shown.storage, make_creative(key=701))
    seen = []
    for _ in range(2):
        shown.dice.seed(11)
        seen.append([shown.read(shown.token()).creative_key for _ in range(8)])
    assert seen[0] == seen[1]
    assert set(seen[0]) == {CREATIVE, 701}


# ---- to whom ----

HIDDEN = [
    msgspec.structs.replace(READER, visitor_key=0),
    msgspec.structs.replace(READER, visitor_key=VISITOR + 1),
    msgspec.structs.replace(READER, opted_out=True),
    msgspec.structs.replace(READER, global_privacy_control=True),
    msgspec.structs.replace(READER, region=Region.STRICT),
    msgspec.structs.replace(READER, robot=Rejection.ROBOT),
]


WITHOUT_CONSENT = HIDDEN[2:5]


@pytest.mark.parametrize("caller", HIDDEN)
def test_whom_we_may_not_know_is_shown_the_house(shown: Street, caller: Caller) -> None:
    served = shown.visit(caller)
    assert not served.filled and b"The boots" not in served.body
    assert shown.rows("SELECT * FROM decisions") == []
    counts = shown.counted(SLOT)
    counts = {name: n for name, n in counts.items() if not name.startswith("identity_")}
    reasons = [name for name in counts if name.startswith("consent_")]
    assert len(reasons) == (caller in WITHOUT_CONSENT)
    assert counts == {"requests": 1, "empty": 1} | dict.fromkeys(reasons, 1)


@pytest.mark.parametrize("ask", [{"gdpr": "1"}, {"gdpr_consent": "CPXxRfAPXxRfAAfKABENB"}, {"coppa": "1"},
                                 {"asserted": False}])  # fmt: skip
def test_a_no_of_the_page_is_a_no(shown: Street, ask: dict[str, object]) -> None:
    assert not shown.visit(**ask).filled


def test_a_proven_yes_counts_from_the_publishers_own_pages_only(shown: Street) -> None:
    yes = {"asserted": True, "asserted_by": "didomi", "asserted_at_seconds": 1_794_999_000}
    strict = msgspec.structs.replace(READER, region=Region.STRICT)
    assert shown.visit(strict, **yes).filled
    assert not shown.visit(msgspec.structs.replace(strict, origin="shop.example"), **yes).filled


def test_a_string_that_names_our_own_iab_id_counts_as_far_as_it_goes(shown: Street) -> None:
    shown.register(VENDOR)
    strict = msgspec.structs.replace(READER, region=Region.STRICT)
    said = {"gdpr": "1", "gdpr_consent": make_tc()}
    assert shown.visit(strict, **said).filled
    for refusing in (make_tc(purposes=(1, 3, 7)), make_tc(vendors=())):
        assert not shown.visit(strict, gdpr="1", gdpr_consent=refusing).filled
    counts = shown.counted(SLOT)
    assert counts["consent_purpose_refused"] == counts["consent_vendor_refused"] == 1


def test_a_slot_that_is_not_there_is_not_answered(shown: Street) -> None:
    assert shown.serve.document(SlotRequest(999), READER) is None
    assert shown.serve.image(SlotRequest(999), READER) is None
    assert shown.serve.explain(SlotRequest(999), READER) is None


# ---- why not ----


@pytest.mark.parametrize(
    ("campaign", "expected"),
    [
        ({"status": Status.PAUSED}, Refusal.PAUSED),
        ({"total_budget_micros": Micros(PRICE - 1)}, Refusal.BUDGET_EXHAUSTED),
        ({"daily_budget_micros": Micros(PRICE - 1)}, Refusal.BUDGET_EXHAUSTED),
    ],
)
def test_a_reason_is_counted_for_its_campaign(
    street: Street, campaign: dict[str, object], expected: Refusal
) -> None:
    street.open(**campaign)
    assert not street.visit().filled
    assert street.counted(CAMPAIGN)[f"refused_{expected}"] == 1


def test_an_advertisers_own_budget_stops_all_of_its_campaigns(street: Street) -> None:
    street.open_shop(daily_budget_micros=PRICE)
    save_new(street.storage, make_campaign(), make_creative())
    street.look()
    text = street.token()
    street.now_ms += 1_000
    assert street.click(text)[1] is Result.TAKEN
    assert refusals(street) == {CAMPAIGN: Refusal.BUDGET_EXHAUSTED}


def test_an_ad_under_way_holds_back_the_last_of_a_budget(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    street.open(**CPM, rate_micros=Micros(250_000_000), total_budget_micros=PRICE)
    text = street.token()
    assert refusals(street) == {CAMPAIGN: Refusal.BUDGET_EXHAUSTED}
    street.storage.writer.commit(AddCounts(()))  # the ad's record is durable by then
    monkeypatch.setattr(under_way, "monotonic_ms", lambda: monotonic_ms() + 30_000)  # it was never seen
    second = street.token()
    assert street.see(second) is Result.TAKEN
    assert street.see(text) is Result.CAP_REACHED
    street.assert_audit_is_clean()


def test_an_ad_under_way_holds_back_the_last_of_its_advertisers_budget_for_all_campaigns(
    street: Street,
) -> None:
    street.open_shop(total_budget_micros=PRICE)
    save_new(street.storage, make_campaign(**CPM, rate_micros=Micros(250_000_000)), make_creative())
    street.look()
    street.token()
    save_new(
        street.storage, make_campaign(key=CAMPAIGN + 1), make_creative(key=701, campaign_key=CAMPAIGN + 1)
    )
    expected = dict.fromkeys((CAMPAIGN, CAMPAIGN + 1), Refusal.BUDGET_EXHAUSTED)
    assert refusals(street) == expected


def test_ads_without_any_budget_are_not_weighed(street: Street) -> None:
    street.open(**CPM, rate_micros=Micros(250_000_000))
    street.token()
    street.storage.writer.commit(AddCounts(()))
    assert street.storage.writer.in_flight(CAMPAIGN) is None


def test_a_visitor_is_shown_an_ad_so_often_and_no_more(street: Street) -> None:
    street.open(frequency_cap=FrequencyCap(2, Period.HOUR))
    for _ in range(2):
        street.see(street.token())
    assert refusals(street) == {CAMPAIGN: Refusal.FREQUENCY_CAP}
    street.now_ms += 3_600_000
    assert refusals(street) == {}


def test_a_test_visitor_sees_everything_and_bills_nothing(street: Street) -> None:
    street.open(total_budget_micros=Micros(0), frequency_cap=FrequencyCap(1, Period.DAY))
    text = street.token(TESTER)
    assert street.read(text).test
    street.now_ms += 1_000
    assert street.click(text, TESTER)[1] is Result.NOT_BILLABLE
    assert street.storage.writer.in_flight(CAMPAIGN) is None


@pytest.mark.parametrize(("floor", "filled"), [(2_000_000, True), (2_000_001, False)])
def test_a_slot_takes_no_less_than_its_floor(street: Street, floor: int, filled: bool) -> None:
    street.open(**CPM, rate_micros=Micros(2_000_000))
    save(street.storage, make_slot(floor_cpm_micros=Micros(floor), currency="EUR"))
    assert street.visit().filled is filled
    save(street.storage, make_slot(floor_cpm_micros=Micros(floor), currency="USD"))
    assert street.visit().filled  # a floor of another currency is not converted


@pytest.mark.parametrize(
    ("currency", "rate", "winner"),
    [("USD", 2_300_000, 90), ("USD", 2_200_000, CAMPAIGN), ("JPY", 900_000_000, CAMPAIGN)],
)
def test_two_currencies_are_ranked_by_the_operators_rates(
    street: Street, currency: str, rate: int, winner: int
) -> None:
    street.open(**CPM, rate_micros=Micros(2_000_000))
    other_shop(street, **CPM, rate_micros=Micros(rate), currency=currency)
    answer = street.serve.explain(ASK, READER)
    assert isinstance(answer, Decision)
    assert answer.campaign.key == winner
    loser = ({CAMPAIGN, 90} - {winner}).pop()
    expected = Refusal.NO_EXCHANGE_RATE if currency == "JPY" else Refusal.OUTRANKED
    assert answer.refusals == {loser: expected}


def test_one_currency_needs_no_rate(street: Street) -> None:
    street.open(currency="JPY")
    assert street.visit().filled


def test_what_a_campaigns_ads_led_to_changes_its_rank(street: Street) -> None:
    street.open()
    other_shop(street)
    street.storage.writer.commit(AddCounts(((0, "impressions", 90, 1_000), (0, "clicks", 90, 50))))
    street.refresh.load_rates()
    assert refusals(street) == {CAMPAIGN: Refusal.OUTRANKED}


# ---- click macros ----


@pytest.mark.parametrize(
    ("prefix", "kept"),
    [
        ("https://ads.news.example/click?u=", True),
        ("https://evil.example/?u=", False),
        ("https://ads.news.example.evil.example/?u=", False),
        ("javascript:alert(1)//", False),
        ("", False),
        (None, False),
    ],
)
def test_a_publishers_click_macro_is_used_only_if_the_site_named_it(
    shown: Street, prefix: str | None, kept: bool
) -> None:
    save(shown.storage, make_site(click_prefixes=("https://ads.news.example/click?",)))
    body = unquote(shown.visit(click_prefix=prefix).body.decode())
    assert ("https://ads.news.example/click" in body) is kept
    assert "evil.example" not in body and "alert(1)" not in body
    assert (f"{HOUSE_URL}/c?t=" in body) is kept


@pytest.mark.parametrize(
    ("prefix", "kept"),
    [
        ("https://pub.example/?u=", True),
        ("https://PUB.example?u=", True),
        ("https://pub.example.evil.test/?u=", False),
        ("https://pub.example@evil.test/?u=", False),
        ("https://pub.example:8443/?u=", False),
        ("http://pub.example/?u=", False),
        ("https://pub.example\\@evil.test/?u=", False),
        ("https://pub.example/\n?u=", False),
        ("https://pub.example/ ?u=", False),
        ("https://pub.example/\x00?u=", False),
        ("https://[pub.example/?u=", False),
        ("https://ads.pub.example/click?u=", True),
        ("https://ads.pub.example/other?u=", False),
        ("https://ads.pub.example/click/%2e./other?u=", False),
    ],
)
def test_a_click_macro_is_compared_by_its_whole_host_and_its_paths_beginning(
    shown: Street, prefix: str, kept: bool
) -> None:
    named = ("https://pub.example", "https://ads.pub.example/click")
    save(shown.storage, make_site(click_prefixes=named))
    body = shown.visit(click_prefix=prefix).body.decode()
    assert (f'href="{prefix}' in body) is kept
    assert ('href="/c?t=' in body) is not kept


# ---- foreign pages ----


@pytest.mark.parametrize(
    ("origin", "filled"),
    [("news.example", True), ("www.news.example", True), (None, True), ("evil.example", False)],
)
def test_a_page_that_is_known_not_to_be_the_sites_gets_the_houses(
    shown: Street, origin: str | None, filled: bool
) -> None:
    reader = msgspec.structs.replace(READER, origin=origin)
    assert shown.visit(reader).filled is filled
    assert isinstance(shown.serve.image(SlotRequest(SLOT, embed_key="m"), reader), ServedImage) is filled


def test_the_link_of_a_picture_is_found_from_any_page(shown: Street) -> None:
    served = image(shown, "mail")
    webmail = msgspec.structs.replace(READER, origin="mail.example")
    text = shown.serve.image_token(SlotRequest(SLOT, embed_key="mail"), webmail)
    assert text is not None and shown.read(text) == served.token


# ---- pictures ----


def image(street: Street, n: str, caller: Caller = READER) -> ServedImage:
    served = street.serve.image(SlotRequest(SLOT, embed_key=n), caller)
    assert isinstance(served, ServedImage)
    assert settled(street.bill.image_shown(served.token, caller)) is Result.NOT_BILLABLE
    return served


def test_a_picture_and_its_link_are_tied_by_the_embedders_key(shown: Street) -> None:
    first, second = image(shown, "a"), image(shown, "b")
    assert first.cards[0].product_key == first.token.product_key == BOOTS.key
    for n, served in (("a", first), ("b", second)):
        text = shown.serve.image_token(SlotRequest(SLOT, embed_key=n), READER)
        assert text is not None and shown.read(text) == served.token
    assert shown.serve.image_token(SlotRequest(SLOT, embed_key="c"), READER) is None


def test_a_picture_shown_again_is_the_one_that_is_clicked(shown: Street) -> None:
    image(shown, "a")
    shown.now_ms += 5
    newest = image(shown, "a")
    text = shown.serve.image_token(SlotRequest(SLOT, embed_key="a"), READER)
    assert text is not None and shown.read(text) == newest.token
    shown.now_ms += 1_000
    assert shown.click(text)[1] is Result.TAKEN


def test_another_visitors_picture_is_not_clicked(shown: Street) -> None:
    image(shown, "a")
    for caller in HIDDEN[:2]:
        assert shown.serve.image_token(SlotRequest(SLOT, embed_key="a"), caller) is None


def test_a_picture_of_nobody_is_the_houses(shown: Street) -> None:
    assert isinstance(shown.serve.image(ASK, HIDDEN[0]), Slot)


def test_what_is_paid_by_the_view_is_not_drawn_as_a_picture(street: Street) -> None:
    street.open(pricing_model=PricingModel.VCPM)
    assert isinstance(street.serve.image(ASK, READER), Slot)
    assert street.visit().filled


# ---- what is read ----


class ReadProfiles:
    """The profiles, and whose were read."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles
        self.keys: list[int] = []

    def profile(self, visitor_key: int) -> Profile | None:
        self.keys.append(visitor_key)
        return self._profiles.profile(visitor_key)

    def export(self, visitor_key: int) -> dict[str, list[dict[str, object]]]:
        return self._profiles.export(visitor_key)


@pytest.mark.parametrize(
    ("limits", "caller", "fills"),
    [
        (Limits(visitor_events=2), {"network": 7}, 2),
        (Limits(network_events=3), {"network": 7}, 3),
        (Limits(), {"robot": Rejection.ROBOT}, 0),
        (Limits(), {"origin": "evil.example"}, 0),
        (Limits(), {}, 5),
    ],
)
def test_no_profile_is_read_for_a_flood_a_machine_or_a_foreign_page(
    tmp_path: Path, limits: Limits, caller: dict[str, object], fills: int
) -> None:
    street = Street(tmp_path, limits)
    street.open()
    read = ReadProfiles(street.storage.profiles)
    street.serve._judge._profiles = read
    reader = msgspec.structs.replace(READER, **caller)
    assert [street.visit(reader).filled for _ in range(5)] == [True] * fills + [False] * (5 - fills)
    assert read.keys == [VISITOR] * fills
    counts = street.counted(SLOT)
    flooded = 5 - fills if fills else 0
    assert (counts["requests"], counts.get("fills", 0), counts.get("flooded", 0)) == (5, fills, flooded)
    street.close()
