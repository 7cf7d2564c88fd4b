"""Visits of many teach what one is shown besides reminders; whoever is forgotten, or stops it, leaves no trace."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adserver.domain.caller import Caller
from adserver.domain.identity import product_key
from adserver.domain.money import Micros
from adserver.domain.product_choice import ProductChoice
from adserver.domain.shop_learning import OF_SHOP, Learnt
from adserver.domain.suggestion import Because
from adserver.domain.token import AdToken
from adserver.domain.visitor import INTEREST_RETENTION_MS
from adserver.flows.privacy import Privacy, Reason
from adserver.flows.recommend import LEARNT_AGAIN_MS, Learn
from adserver.storage.embedded import Storage, own_storage
from adserver.writes import ForgetVisitor, SaveProducts
from pixel.consent import Region
from tests.contract.stores import save, save_new
from tests.domain.makers import ADVERTISER, CAMPAIGN, SLOT, make_product, make_slot
from tests.flows.street import READER, SHOPPER, VISITOR, Street
from tests.flows.test_page_slots import Opened, tokens_in

TRAIL = ("boots", "laces", "wax", "socks", "insoles", "brush")
HOUR_MS = 3_600_000


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    street = Street(tmp_path)
    street.open(products=ProductChoice.SIMILAR)
    save(street.storage, make_slot(width=300, height=600))
    put(street, *TRAIL)
    yield street
    street.close()


def put(street: Street, *items: str, **fields: object) -> None:
    products = tuple(make_product(item, **fields) for item in items)
    street.storage.writer.commit(SaveProducts(ADVERTISER, products))


def shopper(number: int) -> Caller:
    return Caller(Region.OPEN, origin="shop.example", visitor_key=number)


def walk(street: Street, *items: str, visitors: int = 30) -> None:
    """As many visitors look at these products in turn."""
    for number in range(1, visitors + 1):
        for item in items:
            street.hit(shopper(number), id=item)


def learn_of(storage: Storage, now_ms: int, rest: Callable[[], None] = lambda: None) -> int:
    stores = (storage.visits, storage.recommendations, storage.writer)
    return Learn(*stores, lambda: now_ms, INTEREST_RETENTION_MS, rest).run()


def learn(street: Street) -> int:
    return learn_of(street.storage, street.now_ms)


def cards(street: Street, caller: Caller = READER) -> list[AdToken]:
    body = street.visit(caller).body.decode()
    return [street.read(part.split('"')[0]) for part in body.split("/c?t=")[1:]]


def shown(street: Street, caller: Caller = READER) -> list[str]:
    names = {product_key(ADVERTISER, item): item for item in (*TRAIL, "safe", "lamp")}
    return [names[token.product_key] for token in cards(street, caller)]


def test_one_view_fills_the_cards_with_what_others_went_on_to(street: Street) -> None:
    assert shown(street) == ["boots"]
    walk(street, *TRAIL)
    assert learn(street) == 2
    assert shown(street) == ["boots", "laces", "wax", "socks"]
    assert [one.because for one in cards(street)] == [Because.REMINDER, *[Because.SIMILAR] * 3]


def test_the_other_slots_of_a_page_say_as_truly_why_they_show_it(street: Street) -> None:
    walk(street, *TRAIL)
    learn(street)
    save_new(street.storage, make_slot(key=801))
    page = Opened(street, (SLOT, 801))
    first, second = ([street.read(text) for text in tokens_in(one)] for one in page.served)
    assert [one.because for one in first] == [Because.REMINDER, *[Because.SIMILAR] * 3]
    assert [one.because for one in second] == [Because.SIMILAR] * 2


def test_a_campaign_of_reminders_shows_nothing_else(street: Street) -> None:
    street.change(products=ProductChoice.REMINDERS)
    walk(street, *TRAIL)
    learn(street)
    assert shown(street) == ["boots"]


def test_whoever_only_came_by_is_shown_bestsellers(street: Street) -> None:
    walk(street, "wax", visitors=3)
    street.hit(shopper(4), e="purchase", id="brush", transaction_id="R-9", value="9", currency="EUR")
    learn(street)
    passer = 4_242_424_242_425
    for _ in range(2):
        street.hit(shopper(passer), e="page_view", id=None)
    reader = Caller(Region.OPEN, origin="news.example", visitor_key=passer)
    assert shown(street, reader)[:2] == ["brush", "wax"]
    assert {one.because for one in cards(street, reader)} == {Because.BESTSELLER}


def test_a_buyer_is_shown_what_others_bought_with_it_and_never_what_they_bought(street: Street) -> None:
    street.change(products=ProductChoice.BOUGHT_TOGETHER)
    for number in (1, 2):
        street.hit(shopper(number), (("id", "wax"),), e="purchase", id="boots", transaction_id=f"R-{number}")
    street.hit(SHOPPER, e="purchase", id="boots", transaction_id="R-3")
    learn(street)
    assert shown(street)[0] == "wax"
    assert cards(street)[0].because is Because.BOUGHT_TOGETHER
    assert "boots" not in shown(street)


def test_a_buyer_who_comes_back_for_something_else_is_shown_that_and_nothing_they_passed_over(
    street: Street,
) -> None:
    put(street, "lamp")
    walk(street, *TRAIL, "lamp")
    for item in TRAIL[:4]:
        street.hit(id=item)
    street.hit(e="purchase", id="boots", transaction_id="R-3")
    learn(street)
    assert shown(street) == []
    street.now_ms += 1_000
    street.hit(id="lamp")
    assert shown(street)[0] == "lamp"
    assert set(shown(street)) == {"lamp", "insoles", "brush"}


def test_what_is_far_dearer_sold_out_or_sensitive_is_left_out(street: Street) -> None:
    put(street, "safe", price_micros=Micros(9_000_000_000))
    put(street, "laces", availability="out_of_stock")
    put(street, "wax", product_type="Care > Medicines")
    walk(street, "boots", "safe", "laces", "wax", "socks")
    learn(street)
    because = {item: one.because for item, one in zip(shown(street), cards(street), strict=True)}
    assert "laces" not in because and "wax" not in because
    assert because.get("safe") in (None, Because.BESTSELLER)
    street.change(products=ProductChoice.SIMILAR, price_band=None)
    assert dict(zip(shown(street), cards(street), strict=True))["safe"].because is Because.SIMILAR


def test_nobody_is_reminded_of_a_sensitive_product_and_the_reason_has_a_name(street: Street) -> None:
    put(street, "boots", google_product_category="Health & Beauty > Health Care > First Aid")
    assert shown(street) == []
    assert street.counted(CAMPAIGN)["refused_sensitive_product"] == 1


def test_the_page_about_the_ad_says_why_the_product_is_there(street: Street) -> None:
    walk(street, *TRAIL)
    learn(street)
    privacy = Privacy(
        street.memory, street.storage, street.clock, lambda: 1, street.secrets.tokens, lambda key: None
    )
    texts = [part.split('"')[0] for part in street.visit().body.decode().split("/c?t=")[1:]]
    reasons = [why.reason for text in texts if (why := privacy.why(text, VISITOR))]
    assert reasons[:2] == [Reason.VIEWED, Reason.SIMILAR]


def test_a_run_without_news_does_nothing_and_news_are_learnt_of_after_an_hour(street: Street) -> None:
    walk(street, "boots", "laces", visitors=3)
    assert learn(street) == 2
    assert learn(street) == 0
    walk(street, "boots", "wax", visitors=9)
    assert learn(street) == 1
    street.now_ms += LEARNT_AGAIN_MS + 1
    assert learn(street) == 1
    assert shown(street)[:2] == ["boots", "wax"]


def test_who_is_forgotten_is_learnt_of_no_more(street: Street) -> None:
    walk(street, "boots", "laces", visitors=1)
    learn(street)
    assert "laces" in shown(street)
    street.storage.writer.commit(ForgetVisitor(1, 1, street.now_ms))
    street.now_ms += LEARNT_AGAIN_MS + 1
    assert learn(street) == 2
    assert "laces" not in shown(street)


def all_learnt(storage: Storage) -> dict[int, Learnt]:
    keys = [OF_SHOP, *(product_key(ADVERTISER, item) for item in TRAIL)]
    return dict(storage.recommendations.learnt(ADVERTISER, keys))


def die_at(path: Path, now_ms: int, rests: int) -> None:
    """Learn in a process that is killed while it rests for the last of so many times."""
    left = iter(range(rests))
    storage = own_storage(path)
    learn_of(
        storage,
        now_ms,
        lambda: None if next(left, None) is not None else os.kill(os.getpid(), signal.SIGKILL),
    )


@pytest.mark.parametrize("rests", [0, 1, 2])
def test_learning_that_is_killed_leaves_what_held_and_is_done_by_the_next_run(
    street: Street, rests: int
) -> None:
    walk(street, "boots", "laces", visitors=2)
    learn(street)
    before = all_learnt(street.storage)
    walk(street, *TRAIL, visitors=9)
    street.storage.close()
    later_ms = street.now_ms + LEARNT_AGAIN_MS + 1
    child = multiprocessing.get_context("spawn").Process(
        target=die_at, args=(street.storage.path, later_ms, rests)
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    street.storage = own_storage(street.storage.path)
    assert all_learnt(street.storage) == before
    assert learn_of(street.storage, later_ms + LEARNT_AGAIN_MS + 1)
    after = all_learnt(street.storage)
    assert after != before
    assert learn_of(street.storage, later_ms + 3 * LEARNT_AGAIN_MS) == 0
    left = street.storage.reader.rows("SELECT COUNT(DISTINCT version) FROM recommendation_parts", ())
    assert left == [(1,)]
