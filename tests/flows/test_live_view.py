"""Whoever looks at a shop sees what comes in there, of nobody; while nobody looks nothing is noted."""

import msgspec
import pytest

from adserver.domain.live_view import MOST_SEEN, SHOWN_MS, WATCHED_MS, LiveEvent, LiveView
from adserver.flows.live_view import Looked, WatchLiveEvents
from adserver.storage.live import PLACES
from adserver.writes import Aged, KeepLive, PurgeAged, Result
from pixel.consent import Region
from tests.domain.makers import ADVERTISER, make_advertiser
from tests.flows.street import SHOPPER, VISITOR, Street

STRICT = msgspec.structs.replace(SHOPPER, region=Region.STRICT)


class Window:
    """Somebody at a screen; `look` does what a worker does ten times a second, and then looks."""

    def __init__(self, street: Street) -> None:
        self.street = street
        stores = street.storage
        self.flow = WatchLiveEvents(stores.writer, stores.live_views, stores.catalogue, street.clock)

    def look(self, after: int = 0) -> Looked:
        self.report()
        looked = self.flow.look(make_advertiser(), after, PLACES)
        self.report()
        return looked

    def report(self) -> None:
        live, storage = self.street.memory.live, self.street.storage
        seen = live.take()
        if seen:
            assert storage.writer.commit(KeepLive(seen)).result is Result.SAVED
        live.watch(storage.live_views.watched(self.street.now_ms))


@pytest.fixture
def window(street: Street) -> Window:
    street.open_shop()
    return Window(street)


def test_nothing_is_noted_of_a_shop_at_which_nobody_looks(window: Window) -> None:
    window.street.hit()
    window.street.hit(STRICT)
    assert window.street.memory.live.take() == ()
    assert window.look().seen == []


def test_what_comes_in_is_seen_with_the_product_that_it_names(window: Window) -> None:
    window.look()
    window.street.hit(id="boots", value="89.90", currency="EUR")
    window.street.hit(id="no-such-product")
    newest, older = window.look().seen
    assert (older.event.name, older.event.value_micros, older.event.reason) == ("view_item", 89_900_000, None)
    assert [one.title for one in older.products.values()] == ["The boots"]
    assert newest.event.item_ids == ("no-such-product",)
    assert newest.products == {}
    assert [one.number for one in window.look(after=older.number).seen] == [newest.number]


def test_of_what_may_not_be_kept_no_more_than_its_name_is_seen(window: Window) -> None:
    window.look()
    window.street.hit(STRICT, id="boots", value="5", currency="EUR")
    window.street.hit(msgspec.structs.replace(SHOPPER, origin="evil.example"))
    window.street.hit(e="no_such_event")
    unread, foreign, silent = (one.event for one in window.look().seen)
    assert (silent.name, silent.reason, silent.basis) == ("view_item", "no_consent", "no_usable_string")
    assert (silent.item_ids, silent.value_micros) == ((), None)
    assert (foreign.reason, foreign.site, foreign.item_ids) == ("foreign_origin", "evil.example", ())
    assert (unread.name, unread.reason) == (None, "unknown_event")


def test_nothing_of_a_visitor_or_an_order_is_in_what_is_seen(window: Window) -> None:
    window.look()
    window.street.hit(
        e="purchase", transaction_id="A-77-secret", url="https://shop.example/thanks/A-77-secret",
        value="9", currency="EUR", event_id="ev-secret-1",
    )  # fmt: skip
    window.look()
    ((body,),) = window.street.rows("SELECT body FROM live_events")
    for told in (b"secret", str(VISITOR).encode(), VISITOR.to_bytes(8, "big"), b"thanks"):
        assert told not in body


def test_an_event_that_was_told_before_is_seen_as_such(window: Window) -> None:
    window.look()
    window.street.hit(event_id="one")
    window.street.hit(event_id="one")
    assert [one.event.again for one in window.look().seen] == [True, False]


def test_looking_ends_by_itself_and_each_look_moves_the_end_on(window: Window) -> None:
    until_ms = window.look().watched_until_ms
    assert until_ms == window.street.now_ms + WATCHED_MS
    window.street.now_ms += 30_000
    assert window.look().watched_until_ms == until_ms, "looks within a minute write once"
    window.street.now_ms += 60_000
    assert window.look().watched_until_ms == window.street.now_ms + WATCHED_MS
    window.street.now_ms += WATCHED_MS
    window.report()
    window.street.hit()
    assert window.street.memory.live.take() == ()


def test_a_flood_at_one_shop_hides_nothing_of_another() -> None:
    live = LiveView()
    live.watch({ADVERTISER, ADVERTISER + 1})
    for _ in range(MOST_SEEN * 2):
        live.note(LiveEvent(ADVERTISER, 1))
    live.note(LiveEvent(ADVERTISER + 1, 2))
    assert [one.advertiser_key for one in live.take()][-2:] == [ADVERTISER, ADVERTISER + 1]
    assert live.take() == ()


def test_a_flood_is_seen_in_part_and_takes_no_more_than_its_places(window: Window) -> None:
    window.look()
    live = window.street.memory.live
    for _ in range(MOST_SEEN * 2):
        live.refuse(ADVERTISER, "malformed", window.street.now_ms)  # type: ignore[arg-type]
    assert len(live.take()) == MOST_SEEN
    one = LiveEvent(ADVERTISER, window.street.now_ms)
    for _ in range(5):
        window.street.storage.writer.commit(KeepLive((one,) * (PLACES // 2)))
    numbers = [seen.number for seen in window.look().seen]
    assert len(numbers) == PLACES
    assert numbers == sorted(set(numbers), reverse=True)


def test_what_is_old_is_neither_shown_nor_kept(window: Window) -> None:
    window.look()
    window.street.hit()
    window.look()
    window.street.now_ms += SHOWN_MS + 1
    assert window.look().seen == []
    before_ms = window.street.now_ms - SHOWN_MS
    assert window.street.storage.writer.commit(PurgeAged(Aged.LIVE_EVENTS, before_ms, 10)).figure == 1
    assert window.street.rows("SELECT * FROM live_events") == []


def test_another_shop_is_not_seen(window: Window) -> None:
    window.look()
    other = LiveEvent(ADVERTISER + 1, window.street.now_ms)
    window.street.storage.writer.commit(KeepLive((other,)))
    assert window.look().seen == []
    assert window.street.rows("SELECT * FROM live_events") == []
