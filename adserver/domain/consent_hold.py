"""Where practically nobody says no, nobody was asked: an account's assertions of consent are then held."""

from enum import StrEnum
from math import sqrt

from adserver.domain.caller import Caller
from pixel.consent import Basis, Region

WATCHED_MS = 7 * 86_400_000
YES, NO = "asserted_yes", "asserted_no"  # counters of an account

LEAST_NO_SHARE = 0.02  # of those who are asked, refuse even where refusing is made hard
DEVIATIONS = 3.09  # one in a thousand honest sites would be held by chance
REQUESTS_OF_A_YES = 5  # a yes is said again at every request of a visit, a no once on a page

# What only a person who was asked can have said; silence and what cannot be read are no such answers.
_NOES = frozenset(
    {
        Basis.REFUSED,
        Basis.AD_STORAGE_DENIED,
        Basis.AD_USER_DATA_DENIED,
        Basis.AD_PERSONALIZATION_DENIED,
        Basis.PURPOSE_REFUSED,
    }
)


class ConsentHold(StrEnum):
    """What the operator thinks of an account's assertions."""

    NONE = "none"  # they are believed, and watched
    HELD = "held"  # they prove nothing
    RELEASED = "released"  # the operator has looked into it: they are believed, and not held again


def answer_of(caller: Caller, basis: Basis) -> str | None:
    """What an account's page says its visitor answered, from where silence is a no.

    Of what says no origin nobody knows whose page it was; ask not about foreign ones.
    """
    if caller.test or caller.region is not Region.STRICT or caller.origin is None:
        return None
    if basis is Basis.ASSERTED:
        return YES
    return NO if basis in _NOES else None


def nobody_was_asked(yes: int, no: int) -> bool:
    """Whether so many requests that say yes and no leave no doubt that fewer refuse than ever do.

    The upper end of Wilson's interval for the share of noes must lie below LEAST_NO_SHARE: without any no
    that takes 2,340 requests that say yes.
    """
    people = yes / REQUESTS_OF_A_YES + no
    return people > 0 and _upper_bound(no / people, people) < LEAST_NO_SHARE


def _upper_bound(share: float, people: float) -> float:
    squared = DEVIATIONS**2
    spread = DEVIATIONS * sqrt(share * (1 - share) / people + squared / (4 * people**2))
    return (share + squared / (2 * people) + spread) / (1 + squared / people)
