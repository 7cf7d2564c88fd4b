"""A slot is filled for its page alone, counted by the site's own cookie, billed as any ad, and told apart."""

from http.cookies import SimpleCookie

import msgspec
import pytest

from adserver.domain.caller import Caller
from adserver.domain.campaign import FrequencyCap, Period
from adserver.domain.eligibility import Refusal
from adserver.domain.money import Micros
from adserver.domain.pricing import CONTEXTUAL, AdEvent, AudienceRate, PricingModel
from adserver.domain.slot import Slot
from adserver.domain.validity import Limits, Suspicion
from adserver.flows.privacy import Privacy, Reason
from adserver.flows.serve import Served, ServedImage, SlotRequest
from adserver.writes import Result
from pixel.consent import Region
from pixel.cookie import SECURE_NAMES, KeyRing
from pixel.events import Rejection
from pixel.parse import said_in
from pixel.site_cookie import read_site
from tests.contract.stores import save_new
from tests.domain.makers import (
    CAMPAIGN,
    DAY_MS,
    HOUR_MS,
    SITE,
    SLOT,
    VIEWERS,
    make_audience,
    make_campaign,
    make_creative,
    make_message,
)
from tests.flows.street import PRICE, READER, SALE, VISITOR, Street, sale_terms, settled
from tests.pixel.consent_strings import VENDOR, make_tc

STRANGER = msgspec.structs.replace(READER, visitor_key=0)
STRICT = msgspec.structs.replace(STRANGER, region=Region.STRICT)
ONCE_A_DAY = {"frequency_cap": FrequencyCap(1, Period.DAY)}
KEYS = KeyRing(1, {1: b"c" * 32})
ASK = SlotRequest(SLOT)
MESSAGE_KEY = 701


@pytest.fixture
def page(street: Street) -> Street:
    """A shop whose campaign has cards, and a message for whom nobody knows; once a day for each."""
    open_page(street)
    return street


def open_page(street: Street, **campaign: object) -> None:
    street.open_shop()
    save_new(street.storage, make_campaign(**{"contextual": True} | ONCE_A_DAY | campaign))
    save_new(street.storage, make_creative(), make_message(key=MESSAGE_KEY))


def returning(caller: Caller, served: Served | ServedImage) -> Caller:
    """The browser with the cookie that came with the answer."""
    assert served.set_cookie is not None
    header = served.set_cookie.split(b";")[0]
    list_ = read_site(header, KEYS, SECURE_NAMES)
    return msgspec.structs.replace(caller, seen_here=list_.seen, seen_site_key=list_.site_key)


def token_of(served: Served) -> str:
    return served.body.decode().split("/c?t=")[1].split('"')[0]


def refusal_of(street: Street, caller: Caller) -> Refusal | None:
    answer = street.serve.explain(ASK, caller)
    assert answer is not None
    return answer.refusals.get(CAMPAIGN)


# ---- whom it answers ----


def test_a_visitor_nobody_knows_sees_the_message_once_and_then_the_house(page: Street) -> None:
    served = page.visit(STRANGER)
    assert served.filled and b"Still here?" in served.body and b"The boots" not in served.body
    reader = returning(STRANGER, served)
    again = page.visit(reader)
    assert not again.filled and again.set_cookie is None
    assert refusal_of(page, reader) is Refusal.FREQUENCY_CAP
    page.now_ms += DAY_MS + HOUR_MS
    assert page.visit(reader).filled


def test_the_cookie_lasts_until_no_cap_needs_it_and_no_longer(page: Street) -> None:
    set_cookie = page.visit(STRANGER).set_cookie
    assert set_cookie is not None
    morsel = SimpleCookie(set_cookie.decode().replace("; Partitioned", ""))["__Host-rt-site"]
    assert DAY_MS < int(morsel["max-age"]) * 1_000 <= DAY_MS + HOUR_MS


def test_an_ad_without_a_cap_is_counted_too_since_a_visitor_has_a_budget_of_all_ads(street: Street) -> None:
    open_page(street, frequency_cap=None)
    reader, seen = STRANGER, []
    for _ in range(30):
        served = street.visit(reader)
        seen.append(served.filled)
        if served.filled:
            reader = returning(reader, served)
    assert seen == [True] * 5 + [False] * 25  # an advertiser's
    assert refusal_of(street, reader) is Refusal.ADVERTISER_CAP


@pytest.mark.parametrize(
    ("caller", "said"),
    [
        (STRICT, {}),
        (msgspec.structs.replace(READER, region=Region.STRICT), {}),
        (msgspec.structs.replace(STRANGER, global_privacy_control=True), {}),
        (STRANGER, {"coppa": "1"}),
        (STRANGER, {"gdpr": "1", "gdpr_consent": "garbage"}),
    ],
)
def test_where_nothing_may_be_kept_only_an_ad_without_a_cap_is_shown(
    page: Street, caller: Caller, said: dict[str, str]
) -> None:
    seen = ((CAMPAIGN, page.now_ms // HOUR_MS, 1),)
    before = msgspec.structs.replace(caller, seen_here=seen, seen_site_key=SITE)
    for one in (caller, before):
        served = page.visit(one, **said)
        assert not served.filled and served.set_cookie is None
    assert page.counted(CAMPAIGN)["refused_frequency_unknown"] == 2
    page.change(contextual=True)
    served = page.visit(before, **said)
    assert served.filled and served.set_cookie is None


def test_a_visitor_whose_profile_may_not_be_used_is_counted_by_the_sites_cookie(page: Street) -> None:
    page.look()
    served = page.visit(ad_personalization=False)
    assert b"Still here?" in served.body
    assert page.read(token_of(served)).visitor_key == 0
    assert not page.visit(returning(READER, served), ad_personalization=False).filled


def test_a_visitor_with_a_profile_is_counted_by_it_and_gets_no_other_cookie(page: Street) -> None:
    save_new(page.storage, make_audience(key=VIEWERS, exclusions=make_audience().inclusions))
    page.change(contextual=True, **ONCE_A_DAY, audience_rates=(AudienceRate(VIEWERS, Micros(900_000)),))
    page.look()
    served = page.visit()
    token = page.read(token_of(served))
    assert b"Still here?" in served.body and served.set_cookie is None
    assert (token.visitor_key, token.audience_key) == (VISITOR, CONTEXTUAL)
    assert page.see(token_of(served)) is Result.NOT_BILLABLE
    assert refusal_of(page, READER) is Refusal.FREQUENCY_CAP


@pytest.mark.parametrize(
    "caller",
    [
        msgspec.structs.replace(STRANGER, robot=Rejection.ROBOT),
        msgspec.structs.replace(STRANGER, origin="elsewhere.example"),
    ],
)
def test_machines_and_other_sites_are_shown_the_house_and_given_nothing(page: Street, caller: Caller) -> None:
    served = page.visit(caller)
    assert not served.filled and served.set_cookie is None


def test_a_visitor_who_opts_out_loses_the_list_too(page: Street) -> None:
    reader = returning(STRANGER, page.visit(STRANGER))
    gone = page.visit(msgspec.structs.replace(reader, opted_out=True))
    assert gone.set_cookie == b"__Host-rt-site=; Max-Age=0" + SECURE_NAMES.site_attributes


def test_a_no_on_the_site_takes_the_list_away(page: Street) -> None:
    page.register(VENDOR)
    reader = returning(STRANGER, page.visit(STRANGER))
    refusing = page.visit(reader, gdpr="1", gdpr_consent=make_tc(purposes=()))
    assert refusing.set_cookie is not None and b"Max-Age=0" in refusing.set_cookie


def test_a_string_without_the_limited_choice_of_ads_lets_nothing_be_counted(page: Street) -> None:
    page.register(VENDOR)
    for purposes, shown in (((1, 3, 4, 7), False), ((1, 2), True)):
        served = page.visit(STRANGER, gdpr="1", gdpr_consent=make_tc(purposes=purposes))
        assert (served.filled, served.set_cookie is not None) == (shown, shown)


def test_a_list_that_is_not_ours_counts_nothing_and_is_counted(page: Street) -> None:
    assert page.visit(msgspec.structs.replace(STRANGER, site_cookie_flaw="forged")).filled
    assert page.counted(SLOT)["site_cookie_forged"] == 1


def test_what_another_site_has_shown_counts_nothing_here_and_is_not_carried_on(page: Street) -> None:
    """Of browsers that ignore `Partitioned`, one cookie would reach all sites."""
    reader = returning(STRANGER, page.visit(STRANGER))
    elsewhere = msgspec.structs.replace(reader, seen_site_key=SITE + 1)
    assert refusal_of(page, elsewhere) is None
    served = page.visit(elsewhere)
    assert served.filled
    assert page.counted(SLOT)["site_cookie_foreign"] == 1
    assert returning(STRANGER, served) == reader


def test_campaigns_that_are_not_contextual_are_not_even_looked_at(street: Street) -> None:
    open_page(street, contextual=False)
    assert not street.visit(STRANGER).filled
    assert "refused_not_in_audience" not in street.counted(CAMPAIGN)
    street.change(contextual=True)
    assert street.visit(STRANGER).filled


# ---- what it costs ----


@pytest.mark.parametrize(
    ("model", "event", "price"),
    [
        (PricingModel.CPM, AdEvent.IMPRESSION, PRICE // 1_000),
        (PricingModel.VCPM, AdEvent.VIEWABLE_IMPRESSION, PRICE // 1_000),
        (PricingModel.CPC, AdEvent.CLICK, PRICE),
    ],
)
def test_what_is_billed_is_billed_once_at_the_campaigns_own_rate(
    street: Street, model: PricingModel, event: AdEvent, price: int
) -> None:
    open_page(street, pricing_model=model, audience_rates=(AudienceRate(VIEWERS, Micros(900_000)),))
    text = token_of(street.visit(STRANGER))
    token = street.read(text)
    assert (token.visitor_key, token.audience_key, token.creative_key) == (0, CONTEXTUAL, MESSAGE_KEY)
    street.now_ms += 1_000
    happened = [
        street.click(text, STRANGER)[1] if event is AdEvent.CLICK else street.see(text, STRANGER, event)
        for _ in range(2)
    ]
    assert happened == [Result.TAKEN, Result.REPEATED]
    assert street.spent() == (price, 0)
    assert street.rows("SELECT amount_micros, audience_key FROM charges") == [(price, CONTEXTUAL)]
    street.assert_audit_is_clean()


def test_a_browser_that_is_known_elsewhere_may_click_what_was_shown_to_nobody_known(page: Street) -> None:
    text = token_of(page.visit(STRANGER))
    page.now_ms += 1_000
    assert page.click(text, READER)[1] is Result.TAKEN


def test_limits_of_a_network_hold_for_whom_nobody_knows(tmp_path) -> None:
    street = Street(tmp_path, Limits(network_clicks=1))
    open_page(street, frequency_cap=None)
    caller = msgspec.structs.replace(STRANGER, network=7)
    texts = [token_of(street.visit(caller)) for _ in range(2)]
    street.now_ms += 1_000
    assert [street.click(text, caller)[1] for text in texts] == [Result.TAKEN, Result.NOT_BILLABLE]
    named = street.rows("SELECT DISTINCT not_billed FROM ad_events WHERE not_billed != ''")
    assert named == [(Suspicion.NETWORK_RATE,)]
    street.close()


@pytest.mark.parametrize("model", [PricingModel.CPC, PricingModel.CPM])
def test_one_browser_without_cookies_is_paid_for_up_to_the_limit(tmp_path, model: PricingModel) -> None:
    """It asks for an ad again and again, and sees or clicks each."""
    street = Street(tmp_path, Limits(nameless_clicks=3, nameless_views=3))
    open_page(street, frequency_cap=None, pricing_model=model)
    caller = msgspec.structs.replace(STRICT, network=7)
    by_click = model is PricingModel.CPC
    results = []
    for _ in range(9):
        text = token_of(street.visit(caller))
        street.now_ms += 1_000
        results.append(street.click(text, caller)[1] if by_click else street.see(text, caller))
    assert results == [Result.TAKEN] * 3 + [Result.NOT_BILLABLE] * 6
    assert street.spent() == (3 * (PRICE if by_click else PRICE // 1_000), 0)
    named = Suspicion.NAMELESS_CLICKS if by_click else Suspicion.NAMELESS_VIEWS
    assert street.rows("SELECT DISTINCT not_billed FROM ad_events WHERE not_billed != ''") == [(named,)]
    counted = "clicks" if by_click else "impressions"
    assert street.counted(CAMPAIGN)[f"{counted}_{named}"] == 6
    street.assert_audit_is_clean()
    street.close()


def test_a_sale_is_credited_to_a_click_and_never_to_a_view_of_somebody(street: Street) -> None:
    open_page(street, bill_post_view=True, **sale_terms())
    text = token_of(street.visit(STRANGER))
    street.see(text, STRANGER)
    assert street.order("R-1").outcome.result is not Result.TAKEN
    street.now_ms += 1_000
    assert street.order("R-2", click_id=street.click_id(text)).outcome.result is Result.TAKEN
    assert street.spent() == (SALE, 0)
    assert street.rows("SELECT audience_key FROM charges") == [(CONTEXTUAL,)]
    street.assert_audit_is_clean()


def test_fills_for_the_page_are_counted_apart(page: Street) -> None:
    page.visit(STRANGER)
    for owner_key in (CAMPAIGN, SLOT):
        assert page.counted(owner_key)["contextual_fills"] == page.counted(owner_key)["fills"] == 1
    page.look()
    page.visit()
    assert (page.counted(CAMPAIGN)["fills"], page.counted(CAMPAIGN)["contextual_fills"]) == (2, 1)


# ---- pictures ----


def test_a_picture_for_the_page_counts_bills_and_leads_to_its_message(page: Street) -> None:
    ask = SlotRequest(SLOT, embed_key="post-1")
    image = page.serve.image(ask, STRANGER)
    assert isinstance(image, ServedImage)
    assert (image.cards, image.token.visitor_key, image.token.audience_key) == ([], 0, CONTEXTUAL)
    assert not isinstance(page.serve.image(ask, returning(STRANGER, image)), ServedImage)
    assert settled(page.bill.image_shown(image.token, STRANGER)) is Result.NOT_BILLABLE
    page.now_ms += 1_000
    for caller in (STRANGER, READER):
        text = page.serve.image_token(ask, caller)
        assert text is not None and page.read(text).impression_id == image.token.impression_id
    landing, charged = page.click(text, STRANGER)
    assert landing.location.startswith("https://shop.example/form?") and charged is Result.TAKEN
    assert page.serve.image_token(SlotRequest(SLOT, embed_key="post-2"), STRANGER) is None


@pytest.mark.parametrize(
    ("caller", "said"), [(STRICT, {}), (STRANGER, {"gdpr": "1"}), (STRANGER, {"consent": "0"})]
)
def test_a_picture_whose_key_may_not_be_stored_is_the_houses(
    street: Street, caller: Caller, said: dict[str, str]
) -> None:
    """An `n` for each recipient of a mail would name them."""
    open_page(street, frequency_cap=None)
    ask = SlotRequest(SLOT, embed_key="recipient-7", said=said_in(said))
    assert isinstance(street.serve.image(ask, caller), Slot)
    assert street.serve.image_token(ask, caller) is None
    assert street.rows("SELECT * FROM decisions") == []
    counts = street.counted(SLOT)
    assert (counts["untied"], counts["empty"], counts["requests"]) == (1, 1, 1)


def test_whoever_was_shown_the_houses_picture_does_not_click_somebody_elses(street: Street) -> None:
    open_page(street, frequency_cap=None)
    ask = SlotRequest(SLOT, embed_key="post-1")
    image = street.serve.image(ask, STRANGER)
    assert isinstance(image, ServedImage)
    assert settled(street.bill.image_shown(image.token, STRANGER)) is Result.NOT_BILLABLE
    assert isinstance(street.serve.image(ask, STRICT), Slot)
    assert street.serve.image_token(ask, STRICT) is None
    assert street.serve.image_token(ask, STRANGER) is not None


@pytest.mark.parametrize("caller", [STRANGER, STRICT])
def test_a_picture_without_a_key_is_shown_and_tied_to_nothing(street: Street, caller: Caller) -> None:
    open_page(street, frequency_cap=None)
    image = street.serve.image(ASK, caller)
    assert isinstance(image, ServedImage)
    assert settled(street.bill.image_shown(image.token, caller)) is Result.NOT_BILLABLE
    assert street.rows("SELECT image_key, token FROM decisions") == [(None, None)]
    assert "untied" not in street.counted(SLOT)


# ---- why ----


def test_why_says_that_the_page_chose_it_and_not_the_visitor(page: Street) -> None:
    privacy = Privacy(
        page.memory, page.storage, page.clock, lambda: 1, page.secrets.tokens, page.convert.credit_visitor
    )
    for caller in (STRANGER, READER):
        text = token_of(page.visit(STRANGER))
        why = privacy.why(text, caller.visitor_key)
        assert why is not None
        assert (why.reason, why.is_yours, why.product) == (Reason.PAGE, False, None)
    for_reader = page.signed(visitor_key=VISITOR, audience_key=CONTEXTUAL, product_key=0)
    page.look()
    why = privacy.why(for_reader, VISITOR)
    assert why is not None and (why.reason, why.is_yours, why.seen_at_ms) == (Reason.PAGE, True, 0)
