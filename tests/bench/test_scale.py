"""Networks of every size are alike to one visitor, so that what differs is due to their size."""

from contextlib import closing
from pathlib import Path

import pytest

from adserver.storage.embedded import own_storage
from tests.bench.figures import Measured, Run
from tests.bench.large_world import make_large_world
from tests.bench.scale import MEASURED, SCALES, Found, as_data, lines
from tests.bench.world import SHOPS_OF_A_VISITOR, VIEWED, Size, World

CANDIDATES = 10


@pytest.mark.parametrize("size", [size for sizes in SCALES.values() for size in sizes])
def test_a_visitor_has_as_many_campaigns_to_choose_from_in_each_network(size: Size) -> None:
    assert size.shops * size.campaigns_of_a_shop == size.campaigns
    assert min(SHOPS_OF_A_VISITOR, size.shops) * size.campaigns_of_a_shop == CANDIDATES


def test_of_many_visitors_those_who_ask_are_known_and_lie_among_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.bench.large_world.KNOWN", 5)
    world = make_large_world(tmp_path, Size(20, 24, 20, 4), lambda told: None)
    assert len(world.visitors) == 5
    with closing(own_storage(tmp_path / "adserver.db")) as storage:
        keys = [row[0] for row in storage.reader.rows("SELECT visitor_key FROM profiles ORDER BY rowid")]
        assert len(keys) == 20 and keys[::4] == [visitor.key for visitor in world.visitors]
        for visitor in world.visitors:
            profile = storage.profiles.profile(visitor.key)
            assert profile is not None
            assert [len(shop.interests) for shop in profile.shops] == [VIEWED] * SHOPS_OF_A_VISITOR
            found = storage.catalogue.products(one.product_key for one in profile.shops[0].interests)
            assert len(found) == VIEWED


def test_merchants_that_are_visited_lie_among_those_that_are_not(tmp_path: Path) -> None:
    world = World(tmp_path, Size(20, 24, 30, 6, visited=3))
    assert {shop for visitor in world.visitors for shop in visitor.shops} == {0, 2, 4}
    assert {len(set(visitor.shops)) for visitor in world.visitors} == {SHOPS_OF_A_VISITOR}


def test_a_place_is_told_beside_the_smallest_of_its_scale() -> None:
    def found(us: float, bare_us: float) -> Found:
        run = Run(1, 1.0, 1.0, 1.0, 0)
        return Found(dict.fromkeys(MEASURED, Measured(run, run, us, 0.0, bare_us)), 100.0, 1.0, 1.0)

    sizes, places = SCALES["visitors"][:2], [found(200.0, 20.0), found(500.0, 40.0)]
    assert [place["times_the_smallest"]["slot"] for place in as_data(sizes, places)] == [1.0, 1.25]
    assert [line.split()[:5] for line in lines("visitors", sizes, places)] == [
        ["10,000", "visitors", "200", "us", "1.00"],
        ["1,000,000", "visitors", "500", "us", "1.25"],
    ]
