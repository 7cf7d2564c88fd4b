"""One decision in so many, kept so that it can be made again: what was known, and what it was chosen from."""

from collections.abc import Container, Iterator, Sequence
from zlib import crc32

import msgspec

from adserver.domain.auction import Group, Offer
from adserver.domain.campaign import RANK, Tier
from adserver.domain.choice import first_choices
from adserver.domain.decision import Decision, Heard, Request
from adserver.domain.visitor import DAY_MS, Interest, Level, Profile, Purchase, Shop, Shown
from pixel.events import EventName

ONE_IN = 20
MOST_BYTES = 400
MOST_SHOPS, MOST_INTERESTS, MOST_CAMPAIGNS, MOST_TIMES = 4, 4, 6, 5
MINUTE_MS = 60_000
_STEPS = 2**40  # of the dice, of which those below the highest digits pick a sample
_NUMBERS = {name: crc32(name.encode()) % 65_536 for name in EventName}
_EVENTS = {number: name for name, number in _NUMBERS.items()}


class ShopSeen(msgspec.Struct, array_like=True):
    """What the decision could know of the visitor at one shop; ages are in minutes.

    `interests` are the first products that may be shown, with their levels; `events` have a number for each
    name, which stays the same whatever names are added.
    """

    advertiser_key: int
    interests: list[tuple[int, int, int]] = []
    events: list[tuple[int, int]] = []
    bought_ago: int | None = None
    form_begun_ago: int | None = None
    form_sent_ago: int | None = None
    blocked: bool = False


class Rival(msgspec.Struct, array_like=True):
    """Who would have answered: by what it was ranked, and how many offered as much; `rank` is its tier's."""

    campaign_key: int
    ranked_micros: float
    level: int = 1
    rank: int = RANK[Tier.STANDARD]

    @property
    def place(self) -> tuple[int, float]:
        return (self.rank, self.ranked_micros)


class DecisionSample(msgspec.Struct, array_like=True):
    """A decision's features; None of `shops` and `shown` where nothing was known of the visitor.

    `rivals` are the winner and the best of the others, as they were thrown.
    """

    dice: float
    image_cards: int
    winner_key: int  # 0 for no ad
    propensity: float
    rivals: list[Rival]
    is_known: bool
    shops: list[ShopSeen] = []
    shown: list[tuple[int, list[int]]] = []  # by campaign: how many minutes ago, newest last

    def is_of(self, advertiser_key: int, campaign_keys: Container[int]) -> bool:
        """Whether it tells anything of a shop or its campaigns."""
        named = [self.winner_key, *(one.campaign_key for one in self.rivals), *(key for key, _ in self.shown)]
        is_named = any(key in campaign_keys for key in named)
        return is_named or any(shop.advertiser_key == advertiser_key for shop in self.shops)


def is_sampled(visitor_key: int, at_ms: int, dice: float) -> bool:
    """One visitor in so many, with all of a UTC day's requests; of the unknown one request in so many.

    Whole visitors, since caps and reach are about them; others each day, so that nobody is followed.
    """
    if visitor_key:
        return (visitor_key + at_ms // DAY_MS) % ONE_IN == 0
    return int(dice * _STEPS) % ONE_IN == 0


def sample_of(heard: Heard, request: Request, profile: Profile | None, dice: float) -> bytes:
    """The features in at most MOST_BYTES: what matters least is left out first."""
    answer, now_ms = heard.answer, request.now_ms
    sample = DecisionSample(
        dice,
        request.cards if request.image else 0,
        answer.campaign.key if isinstance(answer, Decision) else 0,
        heard.propensity,
        _rivals(heard),
        profile is not None,
    )
    if profile is not None:
        by_age = sorted(profile.shops, key=lambda shop: -shop.last_seen_ms)
        sample.shops = [_seen(shop, now_ms) for shop in by_age[:MOST_SHOPS]]
        newest = sorted(profile.shown, key=lambda shown: -shown.at_ms[-1])[:MOST_CAMPAIGNS]
        sample.shown = [(one.campaign_key, _ages(one.at_ms[-MOST_TIMES:], now_ms)) for one in newest]
    return _fitting(sample)


def read_sample(body: bytes) -> DecisionSample:
    return _decode(body)


def _fitting(sample: DecisionSample) -> bytes:
    """Shops seen long ago leave first, then ads seen long ago, then products beyond the first."""
    body = _encode(sample)
    while len(body) > MOST_BYTES:
        if len(sample.shops) > 2:
            sample.shops.pop()
        elif sample.shown:
            sample.shown.pop()
        elif len(sample.shops) > 1:
            sample.shops.pop()
        else:
            shop = sample.shops[0]
            shop.interests, shop.events = shop.interests[:1], shop.events[:8]
            return _encode(sample)
        body = _encode(sample)
    return body


def _rivals(heard: Heard) -> list[Rival]:
    if not isinstance(heard.answer, Decision):
        return []
    winner_key = heard.answer.campaign.key
    offered = [one for offer in heard.offers for one in _ahead(offer, heard.throw)]
    others = [one for one in offered if one.campaign_key != winner_key]
    best = [next(one for one in offered if one.campaign_key == winner_key)]
    best += [max(others, key=lambda one: one.place)] if others else []
    for rival, among in zip(best, (offered, others), strict=False):
        rival.level = sum(one.place == rival.place for one in among)
    return best


def _ahead(offer: Offer, throw: int) -> Iterator[Rival]:
    for contender, _ in offer.leaders(throw):
        yield Rival(contender.campaign.key, offer.at(throw), rank=offer.rank)
    second = offer.joint.leads[throw].second if isinstance(offer, Group) else None
    if second is not None:
        yield Rival(second[0], second[1] * offer.weight, rank=offer.rank)


def _seen(shop: Shop, now_ms: int) -> ShopSeen:
    by_key = {one.product_key: one for one in shop.interests}
    wanted = [by_key[key] for key in first_choices(shop, MOST_INTERESTS, now_ms)]
    return ShopSeen(
        shop.advertiser_key,
        [(one.product_key, int(one.level), _ago(one.at_ms, now_ms)) for one in wanted],
        [(_NUMBERS[name], _ago(at_ms, now_ms)) for name, at_ms in shop.last_event_ms.items()],
        max((_ago(one.at_ms, now_ms) for one in shop.purchases[-1:]), default=None),
        _ago(shop.form_started_ms, now_ms) if shop.form_started_ms else None,
        _ago(shop.form_submitted_ms, now_ms) if shop.form_submitted_ms else None,
        bool(shop.blocked_at_ms),
    )


def _ago(at_ms: int, now_ms: int) -> int:
    return max(0, (now_ms - at_ms) // MINUTE_MS)


def _ages(times_ms: Sequence[int], now_ms: int) -> list[int]:
    return [_ago(at_ms, now_ms) for at_ms in times_ms]


def profile_of_sample(sample: DecisionSample, at_ms: int) -> Profile | None:
    """The visitor as far as the sample tells; None where nothing might be remembered of them."""
    if not sample.is_known:
        return None
    profile = Profile(at_ms)
    profile.shops = [_shop_of(seen, at_ms) for seen in sample.shops]
    profile.shown = [
        Shown(key, [at_ms - ago * MINUTE_MS for ago in ages]) for key, ages in sample.shown if ages
    ]
    return profile


def _shop_of(seen: ShopSeen, at_ms: int) -> Shop:
    def then(ago: int | None) -> int:
        return 0 if ago is None else at_ms - ago * MINUTE_MS

    return Shop(
        seen.advertiser_key,
        [Interest(key, Level(level), then(ago)) for key, level, ago in seen.interests],
        [] if seen.bought_ago is None else [Purchase(0, then(seen.bought_ago))],
        then(seen.form_begun_ago),
        then(seen.form_sent_ago),
        at_ms,
        [],
        at_ms if seen.blocked else 0,
        {_EVENTS[number]: then(ago) for number, ago in seen.events if number in _EVENTS},
    )


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(DecisionSample).decode
