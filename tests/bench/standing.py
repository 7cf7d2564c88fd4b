"""What is measured without load: the consent decoder, what writes cost the writer, imports and memory."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from time import thread_time

from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent
from adserver.storage.writer import Committer
from adserver.writes import AdRecord, RecordAd, StoreEvent, Write
from pixel.events import EventName
from tests.bench.cases import in_turn
from tests.bench.figures import quantile, spread
from tests.bench.world import SLOT, World, advertiser_key, campaign_key
from tests.domain.makers import PUBLISHER, make_event
from tests.pixel import decoder_speed
from tests.shared_data import PROJECT

BATCH = 64
BATCHES = 60
IMPORTS = 5
PRICE, SHARE = Micros(2_000), Micros(1_400)  # an impression at 2 EUR, and the publisher's part


def decoder() -> dict[str, dict[str, float]]:
    """Of each of its questions, how many microseconds the middle and the slowest calls take."""
    return {
        name: {"p50_us": quantile(taken, 0.5), "p99.9_us": quantile(taken, 0.999)}
        for name, taken in decoder_speed.figures().items()
    }


def import_seconds() -> float:
    """What it takes to import all of the server, in an interpreter of its own."""
    command = (
        "import time; began = time.perf_counter(); from adserver.__main__ import _processes; _processes(); "
        "print(time.perf_counter() - began)"
    )
    taken = []
    for _ in range(IMPORTS):
        done = subprocess.run(
            [sys.executable, "-c", command], cwd=PROJECT, capture_output=True, text=True, check=True
        )
        taken.append(float(done.stdout))
    return spread(taken).median


def writer_costs(world: World, folder: Path) -> dict[str, dict[str, float]]:
    """The writer alone, in batches: the processor's and the wall's microseconds of one write."""
    world.copy_to(folder)
    committer = Committer(folder / "adserver.db")
    try:
        costs = {}
        for name, writes in (("event, folded", _events(world)), ("charge, folded", _charges(world))):
            _commit(committer.commit, writes, 10)
            costs[name] = _commit(committer.commit, writes, BATCHES)
        return costs
    finally:
        committer.close()
        shutil.rmtree(folder)


def _commit(
    commit: Callable[[Sequence[Write]], object], writes: Iterator[Write], batches: int
) -> dict[str, float]:
    processor = wall = 0.0
    for _ in range(batches):
        some = list(islice(writes, BATCH))
        processor_began, wall_began = thread_time(), time.perf_counter()
        commit(some)
        processor += thread_time() - processor_began
        wall += time.perf_counter() - wall_began
    count = batches * BATCH
    return {"processor_us": processor / count * 1e6, "wall_us": wall / count * 1e6}


def _events(world: World) -> Iterator[Write]:
    for visitor in in_turn(world):
        key, shop = world.mint_key(), visitor.shops[0]
        event = make_event(EventName.VIEW_ITEM, world.item(shop, key >> 20), event_id=f"e{key}")
        yield StoreEvent(key, advertiser_key(shop), visitor.key, False, event, world.clock())


def _charges(world: World) -> Iterator[Write]:
    day = int(time.strftime("%Y%m%d", time.gmtime()))
    for visitor in in_turn(world):
        shop = visitor.shops[0]
        campaign = campaign_key(shop, 0)
        yield RecordAd((
            AdRecord(
                event=AdEvent.IMPRESSION,
                impression_id=world.mint_key(),
                campaign_key=campaign,
                campaign_version=1,
                advertiser_key=advertiser_key(shop),
                publisher_key=PUBLISHER,
                slot_key=SLOT,
                creative_key=campaign,
                product_key=0,
                visitor_key=visitor.key,
                at_ms=world.clock(),
                day=day,
                currency="EUR",
                amount_micros=PRICE,
                publisher_micros=SHARE,
            ),
        ))  # fmt: skip
