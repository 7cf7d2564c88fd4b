"""The slots of one page are answered in one request: each ad once, competitors apart, nothing told to the page."""

import re
from itertools import chain

import msgspec
import pytest

from adserver.domain.blocks import Blocks
from adserver.domain.caller import Caller, Place
from adserver.domain.campaign import FrequencyCap, Period
from adserver.domain.experiment import HELD_OUT, is_held_out
from adserver.domain.identity import write_id
from adserver.domain.money import Micros
from adserver.domain.page_sheet import NEW, PROMISE_VALID_MS
from adserver.domain.targeting import Condition, Targeting
from adserver.flows.serve import Served, SlotRequest
from adserver.writes import Result, SaveProducts
from pixel.consent import Region
from tests.contract.stores import save, save_new
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    SITE,
    SLOT,
    make_advertiser,
    make_campaign,
    make_creative,
    make_message,
    make_product,
    make_site,
    make_slot,
)
from tests.flows.street import READER, VISITOR, Street
from tests.flows.test_contextual import returning

ITEMS = ("boots", "scarf", "coat", "belt", "hat", "gloves", "socks", "shirt")
OTHERS = (801, 802, 803)
SLOTS = (SLOT, *OTHERS)
STRANGER = msgspec.structs.replace(READER, visitor_key=0)
RIVAL, RIVALS_CAMPAIGN, RIVALS_CREATIVE = 17, 170, 1_700


@pytest.fixture
def news(street: Street) -> Street:
    """A page with four slots of two cards, and a reader who looked at eight things of the shop."""
    street.open_shop()
    street.storage.writer.commit(SaveProducts(ADVERTISER, tuple(map(make_product, ITEMS))))
    save_new(street.storage, make_campaign(), make_creative(), *(make_slot(key=key) for key in OTHERS))
    for item in ITEMS:
        street.look(item)
    return street


class Opened:
    """A page that is opened as slot.js does it: one slot asks for all, and each then for what is its."""

    def __init__(self, street: Street, slots: tuple[int, ...] = SLOTS, caller: Caller = READER) -> None:
        self.street, self.caller, self.sheet = street, caller, NEW
        self.served = self.ask(slots)

    def ask(self, slots: tuple[int, ...]) -> list[Served]:
        first = self.serve(SlotRequest(slots[0], sheet=self.sheet, others=slots[1:]))
        self.sheet = sheet_of(first)
        places = range(len(slots) - 1, 0, -1)
        promised = zip(slots[1:], places, strict=True)
        return [first, *(self.serve(SlotRequest(key, sheet=self.sheet, place=at)) for key, at in promised)]

    def serve(self, ask: SlotRequest) -> Served:
        served = self.street.serve.document(ask, self.caller)
        assert served is not None
        return served

    @property
    def items(self) -> list[list[str]]:
        return [items_in(one) for one in self.served]

    @property
    def campaigns(self) -> list[int]:
        return [self.street.read(token).campaign_key for one in self.served for token in tokens_in(one)[:1]]


def sheet_of(served: Served) -> str:
    found = re.search(r'<body data-page="([\w-]+)" ', served.body.decode())
    assert found, "the document hands no sheet to its page"
    return found[1]


def tokens_in(served: Served) -> list[str]:
    return [part.split('"')[0] for part in served.body.decode().split("/c?t=")[1:]]


def items_in(served: Served) -> list[str]:
    return re.findall(r"The (\w+)<", served.body.decode())


def open_rival(street: Street, **advertiser: object) -> None:
    """Another advertiser with a message for whoever reads the page."""
    rival = {"key": RIVAL, "public_id": "rival", "name": "Rival", "domains": ("rival.example",)}
    save_new(street.storage, make_advertiser(**rival | advertiser))
    terms = {"contextual": True, "rate_micros": Micros(100_000)}  # less than the shop bids
    save_new(street.storage, make_campaign(key=RIVALS_CAMPAIGN, advertiser_key=RIVAL, **terms))
    save_new(street.storage, make_message(key=RIVALS_CREATIVE, campaign_key=RIVALS_CAMPAIGN))


def test_four_slots_of_a_page_show_eight_different_products(news: Street) -> None:
    shown = Opened(news).items
    assert [len(one) for one in shown] == [2, 2, 2, 2]
    assert sorted(chain.from_iterable(shown)) == sorted(ITEMS)


def test_slots_that_ask_alone_show_the_same_as_before(news: Street) -> None:
    alone = [news.serve.document(SlotRequest(key), READER) for key in SLOTS]
    assert {tuple(items_in(one)) for one in alone if one} == {("boots", "scarf")}
    assert all(b"data-page" not in one.body for one in alone if one)


def test_one_slot_that_stands_twice_shows_two_ads_with_tokens_of_their_own(news: Street) -> None:
    page = Opened(news, (SLOT, SLOT))
    assert len(set(chain.from_iterable(page.items))) == 4
    impressions = {news.read(tokens_in(one)[0]).impression_id for one in page.served}
    assert len(impressions) == 2
    for one in page.served:
        assert news.see(tokens_in(one)[0]) == Result.NOT_BILLABLE  # counted; a click is paid


def test_a_place_that_comes_late_shows_what_is_not_there_yet(news: Street) -> None:
    page = Opened(news, (SLOT, 801))
    late = page.ask((802, 803))
    shown = [*page.items, *map(items_in, late)]
    assert sorted(chain.from_iterable(shown)) == sorted(ITEMS)


def test_a_promised_document_that_is_loaded_twice_is_one_ad(news: Street) -> None:
    page = Opened(news)
    again = page.serve(SlotRequest(803, sheet=page.sheet, place=1))
    first, second = tokens_in(page.served[3])[0], tokens_in(again)[0]
    assert news.read(first).impression_id == news.read(second).impression_id
    assert [news.see(first), news.see(second)] == [Result.NOT_BILLABLE, Result.REPEATED]


def test_all_ads_of_a_page_are_counted_for_whoever_has_no_profile(news: Street) -> None:
    """The page's frames ask at the same time: of cookies that they bring, only one would stay."""
    open_rival(news)
    first = Opened(news, caller=STRANGER)
    assert len(first.campaigns) == 4  # of the five that one advertiser may show in a day
    assert [one.set_cookie for one in first.served[1:]] == [None] * 3
    again = Opened(news, caller=returning(STRANGER, first.served[0]))
    assert len(again.campaigns) == 1
    assert Opened(news, caller=returning(STRANGER, again.served[0])).campaigns == []


def test_each_slot_is_counted_once(news: Street) -> None:
    Opened(news)
    assert [news.counted(key)["requests"] for key in SLOTS] == [1, 1, 1, 1]
    assert [news.counted(key)["fills"] for key in SLOTS] == [1, 1, 1, 1]


def test_another_campaign_is_shown_before_the_same_one_again(news: Street) -> None:
    open_rival(news)
    assert Opened(news).campaigns == [CAMPAIGN, RIVALS_CAMPAIGN, CAMPAIGN, CAMPAIGN]


def test_whose_ad_would_stand_beside_another_is_compared_though_that_one_comes_again_instead(
    news: Street,
) -> None:
    """In both groups alike: else nobody who is held out would be found on pages of several slots."""
    draws = [{"holdout_bps": 5_000, "holdout_draw": draw, "holdout_since_ms": 1} for draw in range(99)]
    held = next(one for one in draws if is_held_out(VISITOR, make_advertiser(key=RIVAL, **one)))
    open_rival(news, **held)
    news.change(key=RIVALS_CAMPAIGN, advertiser_key=RIVAL, contextual=True, rate_micros=Micros(1_000))
    assert Opened(news, (SLOT, 801)).campaigns == [CAMPAIGN, CAMPAIGN]
    news.look()
    ghosts = news.rows("SELECT campaign_key, slot_key FROM ghosts")
    assert ghosts == [(RIVALS_CAMPAIGN, 801)]
    compared = news.rows(f"SELECT arm FROM experiment_visitors WHERE advertiser_key = {RIVAL}")
    assert compared == [(HELD_OUT,)]
    assert news.counted(RIVALS_CAMPAIGN)["refused_holdout"] == 1


def test_a_cap_holds_across_a_page(news: Street) -> None:
    news.change(frequency_cap=FrequencyCap(2, Period.DAY))
    assert [one.filled for one in Opened(news).served] == [True, True, False, False]


@pytest.mark.parametrize("wish", ["theirs", "ours", "category", "publisher"])
def test_competitors_do_not_stand_side_by_side(news: Street, wish: str) -> None:
    """Whoever of them says so, and the publisher may. The slot is another's then, or the page's own."""
    shoes = ("Apparel > Shoes",)
    ours = {"competitor_domains": ("rival.example",)} if wish == "ours" else {"categories": shoes}
    theirs = {
        "theirs": {"competitors": (ADVERTISER,)},
        "category": {"competes_in": ("Apparel",)},
        "publisher": {"categories": shoes},
    }.get(wish, {})
    save(news.storage, make_advertiser(version=2, **ours))
    open_rival(news, **theirs)
    if wish == "publisher":
        assert RIVALS_CAMPAIGN in Opened(news).campaigns
        save(news.storage, make_site(blocks=Blocks(separate_competitors=True)))
    assert set(Opened(news).campaigns) == {CAMPAIGN}
    assert news.counted(RIVALS_CAMPAIGN)["refused_competitor_on_page"] >= 3


def test_nobody_else_is_told_by_a_sheet_what_a_visitor_is_shown(news: Street) -> None:
    """A page that keeps it, and opens it with a browser of its own, gets that browser's answer."""
    page = Opened(news)
    thief = msgspec.structs.replace(READER, visitor_key=VISITOR + 1)
    for caller in (thief, STRANGER):
        served = news.serve.document(SlotRequest(801, sheet=page.sheet, place=3), caller)
        assert served is not None and not served.filled
    opted_out = msgspec.structs.replace(READER, opted_out=True)
    served = news.serve.document(SlotRequest(801, sheet=page.sheet, place=3), opted_out)
    assert served is not None and not served.filled


def test_a_promise_that_cannot_be_kept_any_more_is_decided_anew(news: Street) -> None:
    page = Opened(news)
    promised = SlotRequest(801, sheet=page.sheet, place=3)
    news.now_ms += PROMISE_VALID_MS
    late = page.serve(promised)
    assert late.filled and news.read(tokens_in(late)[0]).decided_at_ms == news.now_ms
    news.now_ms -= PROMISE_VALID_MS
    news.change(status="paused")
    assert not page.serve(promised).filled


@pytest.mark.parametrize("sheet", ["", "nonsense", "A" * 5_000])
@pytest.mark.parametrize("others", [(), (0,), (999,), (SLOT,) * 11])
@pytest.mark.parametrize("place", [0, 1, 99])
def test_whatever_a_page_sends_its_slot_is_filled(
    news: Street, sheet: str, others: tuple[int, ...], place: int
) -> None:
    served = news.serve.document(SlotRequest(SLOT, sheet=sheet, others=others, place=place), READER)
    assert served is not None and served.filled


def test_a_slot_of_another_site_is_not_answered_along(news: Street) -> None:
    save_new(news.storage, make_site(key=81, domains=("other.example",)), make_slot(key=810, site_key=81))
    page = Opened(news, (SLOT, 810, 801))
    assert "fills" not in news.counted(810)
    assert len(set(page.items[0] + page.items[2])) == 4


# ---- targeting on its way from the request ----


def aimed(street: Street, **conditions: Condition) -> None:
    street.change(targeting=Targeting(**conditions))


@pytest.mark.parametrize(
    ("conditions", "fields", "said"),
    [
        ({"countries": Condition(("FR",))}, {"place": Place("FR")}, None),
        ({"countries": Condition(("FR",))}, {"place": Place("BE")}, "country_not_targeted"),
        ({"countries": Condition(("FR",))}, {}, "country_unknown"),
        ({"countries": Condition((), ("FR",))}, {}, None),
        ({"languages": Condition((), ("nl",))}, {"language": "nl"}, "language_not_targeted"),
        ({"sites": Condition((write_id("site", SITE),))}, {}, None),
        ({"sites": Condition((), (write_id("site", SITE),))}, {}, "site_not_targeted"),
    ],
)
def test_a_targeted_campaign_is_served_where_it_holds_and_else_says_why(
    news: Street, conditions: dict[str, Condition], fields: dict[str, object], said: str | None
) -> None:
    aimed(news, **conditions)
    caller = msgspec.structs.replace(READER, **fields)
    served = news.serve.document(SlotRequest(SLOT), caller)
    assert served is not None and served.filled is (said is None)
    if said:
        assert news.counted(CAMPAIGN)[f"refused_{said}"] == 1


def test_a_page_is_addressed_by_what_its_publisher_states(news: Street) -> None:
    aimed(news, keywords=Condition(("rain coat",)), categories=Condition(("Fashion",)))
    stated = SlotRequest(SLOT, keywords="Rain  coat,snow", categories="Fashion > Autumn")
    for ask, filled in (
        (stated, True),
        (SlotRequest(SLOT, keywords="rain coat"), False),
        (SlotRequest(SLOT), False),
    ):
        served = news.serve.document(ask, READER)
        assert served is not None and served.filled is filled
    save(news.storage, make_site(categories=("Fashion",)))
    served = news.serve.document(SlotRequest(SLOT, keywords="rain coat"), READER)
    assert served is not None and served.filled


def test_hours_move_with_the_advertisers_time_zone(news: Street) -> None:
    aimed(news, hours=Condition(("wed 12-13",)))  # it is 11:46 in UTC, 12:46 in Paris
    assert news.visit().filled
    save(news.storage, make_advertiser(version=2, timezone="UTC"))
    assert not news.visit().filled


def test_a_stranger_in_a_strict_country_may_be_addressed_by_place_all_the_same(news: Street) -> None:
    open_rival(news)
    save(
        news.storage,
        make_campaign(
            key=RIVALS_CAMPAIGN, advertiser_key=RIVAL, contextual=True, version=2,
            targeting=Targeting(countries=Condition(("FR",))),
        ),
    )  # fmt: skip
    for place, filled in ((Place("FR"), True), (Place("DE"), False)):
        caller = Caller(Region.STRICT, origin="news.example", place=place)
        served = news.serve.document(SlotRequest(SLOT), caller)
        assert served is not None and served.filled is filled
