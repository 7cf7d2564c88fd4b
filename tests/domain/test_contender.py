"""What is kept of campaigns between requests is what would be made of them anew, after any change."""

from random import Random

from adserver.domain.budget import Bucket, BucketId
from adserver.domain.campaign import Status
from adserver.domain.contender import Contenders, LineUp, line_up_of
from adserver.domain.memory import Memory, new_memory
from adserver.domain.money import Micros
from adserver.domain.rates import Network, Rates
from adserver.domain.snapshot import Snapshot
from adserver.domain.suppression import SuppressionList
from tests.domain.makers import (
    DAY_MS,
    NOW_MS,
    TODAY,
    make_advertiser,
    make_bucket,
    make_campaign,
    make_creative,
    make_message,
)

SHOPS, CAMPAIGNS = (1, 2), (11, 12, 13, 14)
ROOMS = (None, 10**6, 5_000, 1_000, 0)


def shop_of(campaign_key: int) -> int:
    return SHOPS[campaign_key % 2]


def told(line_up: LineUp) -> object:
    """Everything that is said of a line-up."""
    return (
        line_up.contenders,
        line_up.campaign_keys,
        line_up.advertiser_keys,
        line_up.currencies,
        line_up.joint,
        line_up.list_keys,
    )


def change(snapshot: Snapshot, dice: Random) -> None:
    """A campaign or creative as it may be after an edit, or newer figures."""
    key = dice.choice(CAMPAIGNS)
    match dice.randrange(5):
        case 2:
            campaigns = dice.choice(((), (key,)))
            made = SuppressionList(key=dice.randrange(3), advertiser_key=shop_of(key), name="Staff",
                                   campaign_keys=campaigns, active=dice.random() < 0.7)  # fmt: skip
            snapshot.put(made)
        case 0:
            kind = dice.choice((make_creative, make_message))
            snapshot.put(kind(key=key * 10 + dice.randrange(2), campaign_key=key))
        case 1:
            rates = {key: Rates(dice.randrange(9), 1, 1)}
            if dice.random() < 0.5:
                snapshot.put_rates(rates, snapshot.network, snapshot.rates | rates)
            else:
                snapshot.put_rates(rates, Network(), ())
        case _:
            snapshot.put(
                make_campaign(
                    key=key,
                    advertiser_key=shop_of(key),
                    version=dice.randrange(1_000),
                    status=dice.choice((*Status, Status.ACTIVE, Status.ACTIVE)),
                    contextual=dice.random() < 0.5,
                    rate_micros=Micros(dice.choice((1_000, 2_000))),
                    currency=dice.choice(("EUR", "EUR", "USD")),
                )
            )


def test_line_ups_that_are_kept_are_those_made_anew() -> None:
    dice, snapshot = Random(5), Snapshot()
    kept, together, joint = Contenders(snapshot), set[int](), 0
    for _ in range(3_000):
        change(snapshot, dice)
        for owner in SHOPS if dice.random() < 0.7 else ():
            fresh = Contenders(snapshot)
            assert told(kept.of_shop(owner)) == told(fresh.of_shop(owner))
            assert told(kept.contextual()) == told(fresh.contextual())
            together.add(len(fresh.of_shop(owner).contenders))
            joint += fresh.of_shop(owner).joint is not None
    assert together == {0, 1, 2} and joint > 100


def test_a_line_up_is_kept_until_something_of_it_changes() -> None:
    snapshot = Snapshot()
    for key in CAMPAIGNS:
        snapshot.put(make_campaign(key=key, advertiser_key=shop_of(key)))
    kept = Contenders(snapshot)
    before = kept.of_shop(1)
    snapshot.put(make_campaign(key=13, advertiser_key=2, version=2))
    assert kept.of_shop(1) is before
    snapshot.put(make_creative(campaign_key=12))
    assert kept.of_shop(1) is not before


def test_new_figures_change_the_line_up_of_their_advertiser_alone_and_what_all_teach_each() -> None:
    snapshot = Snapshot()
    for key in CAMPAIGNS:
        snapshot.put(make_campaign(key=key, advertiser_key=shop_of(key)))
    kept = Contenders(snapshot)
    mine, others = next(key for key in CAMPAIGNS if shop_of(key) == 1), kept.of_shop(2)
    snapshot.put_rates({mine: Rates(900, 1, 0)}, snapshot.network, [mine])
    assert kept.of_shop(1).contenders[0].rates != others.contenders[0].rates
    assert kept.of_shop(2) is others
    snapshot.put_rates(snapshot.rates, Network(), ())
    assert kept.of_shop(2) is not others


def test_campaigns_of_several_advertisers_never_answer_together() -> None:
    snapshot = Snapshot()
    for key in CAMPAIGNS:
        snapshot.put(make_campaign(key=key, advertiser_key=shop_of(key), contextual=True))
        snapshot.put(make_creative(key=key * 10, campaign_key=key))
    assert Contenders(snapshot).of_shop(1).joint is not None
    assert Contenders(snapshot).contextual().joint is None
    assert line_up_of([]).joint is None


# ---- whether all of them can pay ----


def spend(memory: Memory, dice: Random) -> None:
    """A balance as the ledger may tell it, or a campaign's or advertiser's cap as it may be after an edit."""
    snapshot, key, cap = memory.snapshot, dice.choice(CAMPAIGNS), dice.choice(ROOMS)
    owner = dice.choice((key, shop_of(key)))
    budget = None if cap is None else Micros(cap)
    match dice.randrange(8):
        case 0:
            snapshot.put(make_campaign(key=key, advertiser_key=shop_of(key), daily_budget_micros=budget))
        case 1:
            snapshot.put(make_advertiser(key=shop_of(key), total_budget_micros=budget))
        case 2:
            gone = BucketId(owner, dice.choice((0, TODAY)))
            snapshot.put_buckets([(gone, Bucket())])
        case _:
            bucket = make_bucket(dice.choice((None, 10**6)), dice.randrange(10**4))
            snapshot.put_buckets([(BucketId(owner, dice.choice((0, TODAY))), bucket)])


def test_all_can_pay_where_each_can_whatever_was_spent_or_changed() -> None:
    """Never said where one of them cannot; said where each can, unless it is near with what is under way."""
    dice, memory, seen = Random(7), new_memory(), set[bool]()
    for shop in SHOPS:
        memory.snapshot.put(make_advertiser(key=shop, timezone="UTC"))
    for key in CAMPAIGNS:
        memory.snapshot.put(make_campaign(key=key, advertiser_key=shop_of(key)))
    for _ in range(5_000):
        spend(memory, dice)
        shop, price = dice.choice(SHOPS), Micros(dice.choice((1, 1_000, 5_000, 10**6 - 5_000)))
        at_ms = NOW_MS + dice.choice((0, 0, 0, DAY_MS))
        under_way = {shop: Micros(dice.choice((0, 0, 1_000)))}
        campaigns = memory.snapshot.live_campaigns(shop)
        each = all(one.can_pay(price) for one in memory.balances(campaigns, under_way, at_ms))
        together = memory.can_all_pay(shop, price, under_way, at_ms)
        assert together <= each and (together == each or under_way[shop])
        seen.add(together)
    assert seen == {True, False}
