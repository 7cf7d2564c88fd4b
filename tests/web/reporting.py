"""What reports tell of: a shop's ads on some days, put where a running server writes them down."""

from adserver.domain.budget import day_span
from adserver.domain.identity import first_key_at, read_id
from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent
from adserver.domain.visitor import DAY_MS
from adserver.writes import RecordAd
from tests.contract.stores import make_record
from tests.web.visiting import Visiting


def key_of(prefix: str, text: str) -> int:
    key = read_id(prefix, text)
    assert key is not None
    return key


def show_ads(
    world: Visiting, days_ago: int, *, ads: int, clicks: int, timezone: str = "Europe/Paris"
) -> None:
    """So many ads of the shop's campaign, some of them clicked at 0.30 each."""
    at_ms = world.server.clock() - days_ago * DAY_MS
    creative = world.listed(f"/creatives?campaign_id={world.campaign}")[0]
    slot = world.listed(f"/slots?site_id={world.site}")[0]
    site = world.listed("/sites")[0]
    about = {
        "campaign_key": key_of("cmp", world.campaign),
        "advertiser_key": key_of("adv", world.advertiser),
        "publisher_key": key_of("pub", site["publisher_id"]),
        "slot_key": key_of("slot", slot["id"]),
        "creative_key": key_of("crv", creative["id"]),
        "at_ms": at_ms,
        "day": day_span(at_ms, timezone).day,
    }
    for number in range(ads):
        key = first_key_at(at_ms) + number
        seen = make_record(key, AdEvent.IMPRESSION, **about)
        clicked = make_record(key, AdEvent.CLICK, **about | {"amount_micros": Micros(300_000)})
        world.storage.writer.commit(RecordAd((seen, clicked) if number < clicks else (seen,)))
