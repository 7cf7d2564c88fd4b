"""Exploration at a flat cost: what each ad may turn out to be worth is thrown in advance, so many times."""

from array import array
from collections.abc import Sequence
from functools import cache, lru_cache
from math import exp
from random import Random
from statistics import NormalDist

from adserver.domain.rates import Belief

THROWS = 64
MOST_DEVIATE = 3.61  # no throw lies further from the middle
SHARPER, KNOWN_HITS = 2.0, 20.0  # after so many hits, half of the sharpening
_ROWS = 256  # of throws that say nothing of each other
_SMALL = 0.1
_NORMAL = NormalDist()


def throw_of(dice: float) -> tuple[int, float]:
    """Which of the throws a request's dice picks, and what they say besides, in [0, 1): it breaks ties."""
    position = dice * THROWS
    throw = int(position)
    return throw, position - throw


class Odds:
    """What a rate, or a product of rates, may be in each of the throws; kept when first asked for.

    `seed` is the ad's own. Nothing here depends on prices: whoever offers more is never thrown lower for it.
    """

    __slots__ = ("_beliefs", "_kept", "_most", "_seed")

    def __init__(self, seed: int, *beliefs: Belief) -> None:
        self._seed = seed
        self._beliefs = beliefs
        self._kept: Sequence[float] | None = None
        self._most: float | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Odds) and self._told() == other._told()

    def __hash__(self) -> int:
        return hash(self._told())

    def _told(self) -> tuple[int, tuple[Belief, ...]]:
        return self._seed, self._beliefs

    @property
    def kept(self) -> Sequence[float]:
        if self._kept is None:
            self._kept = array("d", self.throws())
        return self._kept

    def throws(self) -> Sequence[float]:
        """For once: of thousands of campaigns there is no room to keep them."""
        thrown = draws(self._beliefs[0], self._seed)
        for place, belief in enumerate(self._beliefs[1:], 1):
            thrown = [
                one * other for one, other in zip(thrown, draws(belief, ~self._seed - place), strict=True)
            ]
        return thrown

    @property
    def most(self) -> float:
        """No throw is above it."""
        if self._most is None:
            self._most = 1.0
            for belief in self._beliefs:
                middle, width = _cube(belief)
                self._most *= belief.mean * _above_nothing(middle + width * MOST_DEVIATE) ** 3
        return self._most


def draws(belief: Belief, seed: int) -> Sequence[float]:
    """What a rate may be, of which so much is believed, in each of the throws.

    Equal beliefs are thrown alike but in another order. The order changes whenever anything is learnt.
    """
    mixed = hash((seed, belief.trials))
    row = _thrown(belief.mean, belief.trials, mixed % _ROWS)
    turn = mixed // _ROWS % THROWS
    return row[turn:] + row[:turn]


def _cube(belief: Belief) -> tuple[float, float]:
    """Wilson and Hilferty's: a Gamma of the Beta's mean and variance, exact enough where draws win.

    The better a rate is known, the narrower it is thrown, down to a third of the variance (Chapelle and Li's
    reshaping): less is spent on what is probably worse, and what is hardly known is explored as ever.
    """
    shape = belief.mean * (belief.trials + 1.0) / max(0.1, 1.0 - belief.mean)
    shape *= 1.0 + SHARPER * shape / (shape + KNOWN_HITS)
    return 1.0 - 1.0 / (9.0 * shape), 1.0 / (3.0 * shape**0.5)


@lru_cache(maxsize=1024)
def _thrown(mean: float, trials: float, number: int) -> tuple[float, ...]:
    middle, width = _cube(Belief(mean, trials))
    return tuple([mean * _above_nothing(middle + width * deviate) ** 3 for deviate in _row(number)])


def _above_nothing(root: float) -> float:
    """As it is; where the cube's formula falls to nothing, ever smaller, so that no two throws are equal."""
    return root if root > _SMALL else _SMALL * exp(root / _SMALL - 1.0)


@cache
def _row(number: int) -> tuple[float, ...]:
    """Standard normal deviates in a random order, one of each 64th: together they are the distribution."""
    dice = Random(number)  # noqa: S311  these are no secret
    order = list(range(THROWS))
    dice.shuffle(order)
    return tuple([_NORMAL.inv_cdf((place + 0.5 + 0.98 * (dice.random() - 0.5)) / THROWS) for place in order])
