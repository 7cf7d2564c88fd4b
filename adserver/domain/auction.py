"""Who wins a slot among those that may answer it, and how likely that was before the dice were thrown."""

from collections.abc import Iterator, Sequence
from itertools import compress
from operator import and_, eq, itemgetter

import msgspec

from adserver.domain.campaign import Creative
from adserver.domain.contender import Bid, Contender, Joint, LineUp, most_of, worths
from adserver.domain.ranking import THROWS

Leaders = Sequence[tuple[Contender, Bid]]
FEW = 8  # that are all thrown, to see what others must reach


class Single(msgspec.Struct, frozen=True):
    """One contender, with what it may show to this visitor.

    `weight` makes its worth comparable: its currency in the ranking's, and what this visitor is tired of.
    `fixed` is its worth where that is the same in all throws.
    """

    contender: Contender
    bid: Bid
    creatives: tuple[Creative, ...]
    weight: float
    rank: int
    fixed: float | None

    def at(self, throw: int) -> float:
        """What a thousand impressions bring if it is so."""
        if self.fixed is not None:
            return self.fixed
        contender, stake = self.contender, self.bid.stake_micros
        if contender.views is not None:
            return stake * contender.views.kept[throw] * self.weight
        if len(self.creatives) == 1:
            return stake * contender.odds[self.creatives[0].key].kept[throw] * self.weight
        return stake * max([contender.odds[one.key].kept[throw] for one in self.creatives]) * self.weight

    def column(self) -> Sequence[float]:
        """What they bring in each of the throws."""
        return worths(self.contender, self.bid, self.creatives, self.weight)

    @property
    def most(self) -> float:
        return most_of(self.contender, self.bid, self.creatives) * self.weight

    def leaders(self, throw: int) -> Leaders:
        return ((self.contender, self.bid),)

    def each(self, throw: int) -> Iterator[tuple[Contender, Bid, float]]:
        """All that are in it, with what they bring if it is so."""
        yield self.contender, self.bid, self.at(throw)

    def holds(self, contender: Contender) -> bool:
        return self.contender is contender


class Group(msgspec.Struct, frozen=True):
    """A line-up of which all may answer; `fixed` as a contender's."""

    line_up: LineUp
    joint: Joint
    weight: float
    rank: int
    fixed: float | None

    def at(self, throw: int) -> float:
        return self.joint.leads[throw].micros * self.weight

    def column(self) -> Sequence[float]:
        return [lead.micros * self.weight for lead in self.joint.leads]

    @property
    def most(self) -> float:
        return max(self.column())

    def leaders(self, throw: int) -> Leaders:
        return self.joint.leads[throw].leaders

    def each(self, throw: int) -> Iterator[tuple[Contender, Bid, float]]:
        """All that are in it, with what they bring if it is so."""
        for contender in self.line_up.contenders:
            bid = contender.own_bid
            yield contender, bid, worths(contender, bid, bid.cards, is_kept=False)[throw] * self.weight

    def holds(self, contender: Contender) -> bool:
        """Each campaign is in one offer: its advertiser's, where that is judged together."""
        return self.joint.advertiser_key == contender.campaign.advertiser_key


Offer = Single | Group


def group(line_up: LineUp, joint: Joint, weight: float) -> Group:
    fixed = joint.leads[0].micros * weight if joint.is_fixed else None
    return Group(line_up, joint, weight, joint.rank, fixed)


def single(contender: Contender, bid: Bid, creatives: tuple[Creative, ...], weight: float) -> Single:
    fixed = bid.stake_micros * weight if contender.is_fixed else None
    return Single(contender, bid, creatives, weight, contender.rank, fixed)


def favourite(contender: Contender, creatives: Sequence[Creative], throw: int) -> Creative:
    """Which of its creatives is shown: the one that is clicked most, or brings most orders, if it is so."""
    if len(creatives) == 1:
        return creatives[0]
    return max(creatives, key=lambda one: contender.odds[one.key].kept[throw])


def propensity(
    offers: Sequence[Offer], winner: Contender, creative: Creative, creatives: Sequence[Creative]
) -> float:
    """In which share of the throws, and of their ties, this creative of this contender is shown.

    Exact, given who may answer: the dice that choose the throw are the only ones left.
    """
    fixed = [worth for offer in offers if (worth := offer.fixed) is not None]
    if len(fixed) == len(offers) and len(creatives) == 1:  # nothing is thrown
        surest = max(fixed)
        return 1 / sum([len(one.leaders(0)) for one in offers if one.fixed == surest])
    rivals = _rivals(offers) if len(offers) > 1 else offers
    only = rivals[0]
    if len(rivals) > 1 or isinstance(only, Single):
        return _share(rivals, winner, creative, creatives)
    shares, names = only.joint.shares, (creative.key, *[one.key for one in creatives])
    if names not in shares:
        shares[names] = _share(rivals, winner, creative, creatives)
    return shares[names]


def _rivals(offers: Sequence[Offer]) -> Sequence[Offer]:
    """Those that may be ahead in some throw: of many, some that cannot are found without their throws."""
    surest = max([-1.0 if offer.fixed is None else offer.fixed for offer in offers])
    rivals = [offer for offer in offers if offer.fixed == surest]
    thrown = [(most, offer) for offer in offers if offer.fixed is None and (most := offer.most) >= surest]
    if len(thrown) > FEW:
        thrown.sort(key=itemgetter(0), reverse=True)
        best = min(map(max, *[offer.column() for _, offer in thrown[:FEW]]))
        thrown = [(most, offer) for most, offer in thrown if most >= best]
    return rivals + [offer for _, offer in thrown]


def _share(
    rivals: Sequence[Offer], winner: Contender, creative: Creative, creatives: Sequence[Creative]
) -> float:
    shown = _shown(winner, creative, creatives)
    if None not in [offer.fixed for offer in rivals]:
        return shown.count(True) / (THROWS * sum([len(offer.leaders(0)) for offer in rivals]))
    columns = [offer.column() for offer in rivals]
    own, ours = next(one for one in zip(rivals, columns, strict=True) if one[0].holds(winner))
    best = columns[0] if len(columns) == 1 else list(map(max, *columns))
    share = 0.0
    for throw in compress(range(THROWS), map(and_, shown, map(eq, ours, best))):
        in_throw = [column[throw] for column in columns]
        if isinstance(own, Single) and in_throw.count(best[throw]) == 1:
            share += 1.0
        else:
            share += _share_of_tied(rivals, in_throw, best[throw], winner, throw)
    return share / THROWS


def _share_of_tied(
    rivals: Sequence[Offer], in_throw: Sequence[float], best: float, winner: Contender, throw: int
) -> float:
    ahead = [offer for offer, worth in zip(rivals, in_throw, strict=True) if worth == best]
    tied = [one for offer in ahead for one, _ in offer.leaders(throw)]
    return 1.0 / len(tied) if any(one is winner for one in tied) else 0.0


def _shown(winner: Contender, creative: Creative, creatives: Sequence[Creative]) -> list[bool]:
    """In which throws the winner would show this creative."""
    if len(creatives) == 1:
        return [True] * THROWS
    columns = [winner.odds[one.key].kept for one in creatives]
    return list(map(eq, winner.odds[creative.key].kept, map(max, *columns)))
