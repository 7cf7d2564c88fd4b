"""What is decided, of whom and for what: a request, its candidates, and the answer with all reasons."""

from collections.abc import Mapping, Sequence

import msgspec

from adserver.domain.auction import Offer
from adserver.domain.audience_size import AudienceSize
from adserver.domain.budget import Bucket
from adserver.domain.campaign import RANK, Campaign, Creative
from adserver.domain.catalogue import Product
from adserver.domain.contender import (
    Contender,
    Joint,
    LineUp,
)
from adserver.domain.eligibility import (
    Balance,
    Refusal,
)
from adserver.domain.experiment import Entry
from adserver.domain.house_rules import HouseRules
from adserver.domain.membership import NO_AUDIENCES, Memberships
from adserver.domain.money import ZERO
from adserver.domain.page import NO_PAGE, Page
from adserver.domain.product_set import NO_SETS, Members
from adserver.domain.rates import NO_FIGURES, Rates
from adserver.domain.situation import Situation
from adserver.domain.slot import Slot
from adserver.domain.suggestion import Because, Suggested

_REMINDER = Because.REMINDER  # looked up once: of each card it is asked why it is shown
NO_SIZES: Mapping[int, AudienceSize] = {}
_UNCAPPED = Bucket()
_PLENTY = Balance(_UNCAPPED, _UNCAPPED, _UNCAPPED, _UNCAPPED, ZERO, 0, 0)


class Request(msgspec.Struct, frozen=True):
    """What a slot asks: at most `cards` products for this visitor, now. `image` slots run no scripts.

    `rules` are its publisher's: whom and what may not be shown there; None for none. `page` is what is known
    of the place, as far as some campaign asks for it.
    """

    slot: Slot
    cards: int
    image: bool
    now_ms: int
    test: bool = False  # a test visitor sees everything, and bills nothing
    rules: HouseRules | None = None
    visitor_key: int = 0  # by which experiments draw lots; 0 for whoever is in none
    list_keys: frozenset[int] = frozenset()  # of suppression, that the visitor is on
    page: Page = NO_PAGE
    spared: frozenset[int] = frozenset()  # campaigns that another slot of the page shows


class Candidate(msgspec.Struct, frozen=True):
    """A contender at the moment of a request, with all that judging it needs."""

    contender: Contender
    balance: Balance
    exchange_rate: float | None  # of its currency into the ranking's; None where the operator gave none
    audiences: Memberships = NO_AUDIENCES  # those that it names are among them


class Together(msgspec.Struct, frozen=True):
    """All of a shop's campaigns, each of which has the money for one more ad."""

    line_up: LineUp
    joint: Joint
    exchange_rate: float | None

    def each(self) -> list[Candidate]:
        return [Candidate(contender, _PLENTY, self.exchange_rate) for contender in self.line_up.contenders]


class Decision(msgspec.Struct, frozen=True):
    """The answer: a campaign's creative with its cards (none for a message), and what it beat.

    `judged` holds the others that were judged one by one, `outbid` the line-ups of which all could answer.
    `audience_key` is whose rate it is served at, 0 for the campaign's own, CONTEXTUAL if for the page.
    `situation` is the visitor's that the creative may speak of, where it has words for any. `because` says
    of those of the products that are no reminders why they are shown. `ecpm_micros` is what it won with,
    `propensity` how likely it was shown before the dice, given all that could answer, and `rates` what is
    believed of the campaign.
    """

    campaign: Campaign
    creative: Creative
    products: tuple[Product, ...]
    ecpm_micros: float
    judged: dict[int, Refusal]
    audience_key: int = 0
    outbid: tuple[LineUp, ...] = ()
    situation: Situation | None = None
    because: Mapping[int, Because] = {}
    ghosts: tuple["Decision", ...] = ()  # what came before, and its advertisers held the visitor out
    entries: tuple[Entry, ...] = ()  # the experiments' arms that this puts the visitor in
    propensity: float = 1.0
    rates: Rates = NO_FIGURES

    def because_of(self, product: Product) -> Because:
        """Why it is shown."""
        return self.because.get(product.key, _REMINDER)

    @property
    def refusals(self) -> dict[int, Refusal]:
        """Each other candidate's reason by its key."""
        outbid = {key: self.beaten(line_up) for line_up in self.outbid for key in line_up.campaign_keys}
        outbid.pop(self.campaign.key, None)
        return outbid | self.judged

    def beaten(self, line_up: LineUp) -> Refusal:
        """Why those of the line-up are not shown that could have answered."""
        joint = line_up.joint
        return beaten_by(RANK[self.campaign.tier], RANK[self.campaign.tier] if joint is None else joint.rank)


class NoAd(msgspec.Struct, frozen=True):
    """No campaign may answer; each candidate's reason by its key."""

    refusals: dict[int, Refusal]
    ghosts: tuple[Decision, ...] = ()
    entries: tuple[Entry, ...] = ()


class Heard(msgspec.Struct, frozen=True):
    """A decision, with all that could have answered, and in which throw they were compared."""

    answer: Decision | NoAd
    offers: Sequence[Offer]
    throw: int = 0

    @property
    def propensity(self) -> float:
        """How probable the answer was before the dice."""
        return self.answer.propensity if isinstance(self.answer, Decision) else 1.0


class Surroundings(msgspec.Struct, frozen=True):
    """What else a decision may ask of what a worker knows.

    `members` tells which products are in the campaigns' sets, `suggested` what each shop may show besides
    reminders, `sizes` how many are in an audience. `catalogue` is what audiences ask of products, where the
    decision may show only some of those.
    """

    members: Members = NO_SETS
    suggested: Mapping[int, Suggested] = {}
    sizes: Mapping[int, AudienceSize] = NO_SIZES
    catalogue: Mapping[int, Product] | None = None


NO_SURROUNDINGS = Surroundings()


def beaten_by(rank: int, own: int) -> Refusal:
    """Why whoever has the rank `own` is not shown where the best that could answer has `rank`."""
    return Refusal.OUTRANKED if own == rank else Refusal.LOWER_TIER
