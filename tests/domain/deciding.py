"""The decision alone, for tests that do not ask what it was chosen from."""

from collections.abc import Mapping, Sequence

from adserver.domain.catalogue import Product
from adserver.domain.decision import (
    NO_SURROUNDINGS,
    Candidate,
    Decision,
    NoAd,
    Request,
    Surroundings,
    Together,
)
from adserver.domain.hearing import hear
from adserver.domain.visitor import Profile


def decide(
    request: Request,
    profile: Profile | None,
    candidates: Sequence[Candidate | Together],
    products: Mapping[int, Product],
    dice: float,
    around: Surroundings = NO_SURROUNDINGS,
) -> Decision | NoAd:
    return hear(request, profile, candidates, products, dice, around).answer
