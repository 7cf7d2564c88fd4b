"""A campaign made ready to be judged: all of it that neither the visitor nor the moment changes."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType

import msgspec

from adserver.domain.aim import Aim, aim_of
from adserver.domain.approval import live_version
from adserver.domain.campaign import RANK, Campaign, Creative, Pacing, Status, Tier, creatives_for
from adserver.domain.experiment import Entry, Experiment, Subject
from adserver.domain.money import Micros
from adserver.domain.peace import DEFAULT_POLICY, Peace, PeacePolicy, peace_of
from adserver.domain.pricing import CONTEXTUAL, PER_THOUSAND, PricingModel, smallest_price
from adserver.domain.product_choice import ProductChoice
from adserver.domain.ranking import THROWS, Odds
from adserver.domain.rates import NO_FIGURES, Network, Rates
from adserver.domain.situation import Situation
from adserver.domain.snapshot import Snapshot
from adserver.domain.suggestion import Widening
from adserver.domain.tally import NETWORK
from adserver.domain.worth import ecpm_micros, odds_of, stake_micros

ANSWERED = (Situation.FORM_ABANDONED,)  # by a message that does not say whom it is for
MESSAGE = "message"  # the template that shows the advertiser's own words, for services
MOST_KEPT = 100_000  # contenders, of a quarter of a kilobyte each
FOREVER_MS = 2**63
FREE_OF_FLOORS = float("inf")


class Bid(msgspec.Struct, frozen=True):
    """What a campaign offers for an audience's members, and what they may see: `cards` need products.

    `ecpm_micros` is expected of it; `stake_micros` would be, if each impression led to what is billed.
    `addressed` says of each situation which of the messages are for it, and `along` those with the cards;
    `for_forms` tells that no message is for anything but an open form.
    """

    audience_key: int
    ecpm_micros: float
    stake_micros: float
    price: Micros  # the least that one ad may cost
    creatives: tuple[Creative, ...]
    cards: tuple[Creative, ...]
    messages: tuple[Creative, ...]
    addressed: dict[Situation, tuple[Creative, ...]] = {}
    along: dict[Situation, tuple[Creative, ...]] = {}
    for_forms: bool = True


class Contender(msgspec.Struct, frozen=True):
    """A campaign with its creatives, approved or not, its figures, and what follows of them.

    Before `from_ms` and from `until_ms` on, the campaign itself stands against every request: it is always
    so where the two are the same. `page_bid` is for whoever sees it for the page alone. `products_key` tells
    what it has to show: all of its advertiser's, or below zero a set's. Its creatives are ranked by `odds`,
    and it by the best of them where it pays for clicks or orders; `views` are thrown where it pays for views,
    and in an experiment's arm, whatever it pays for, the same as in all others.
    """

    campaign: Campaign
    creatives: tuple[Creative, ...]
    rates: Rates
    products_key: int
    from_ms: int
    until_ms: int
    needs_script: bool
    is_paced: bool
    own_bid: Bid
    page_bid: Bid | None
    audience_bids: dict[int, Bid] | None  # of the audiences that its terms name
    peace: Peace
    has_cap: bool  # of its own, or of a creative's
    caps_creatives: bool
    tires: bool  # it pays for clicks or what follows them, and views without one make it worth less
    rank: int  # of its tier: a higher one wins at any price
    by_creative: bool  # whether its worth is its creative's
    is_fixed: bool  # whether each impression is worth the same
    odds: dict[int, Odds]  # by creative
    views: Odds | None
    widening: Widening | None = None  # None: it shows reminders only
    list_keys: frozenset[int] = frozenset()  # of suppression: whoever is on one of them is shown nothing
    aim: Aim | None = None  # whom it is for; None for everyone
    trials: tuple["Trial", ...] = ()  # experiments, in which what a visitor may see depends on their arm
    entry: Entry | None = None  # of an arm: that whoever sees it is in it

    def bid(self, audience_key: int) -> Bid:
        return self.audience_bids[audience_key] if self.audience_bids else self.own_bid


class Trial(msgspec.Struct, frozen=True):
    """An experiment, and its campaign as each arm has it."""

    experiment: Experiment
    arms: tuple[Contender, ...]


class Setting(msgspec.Struct, frozen=True):
    """What else a campaign is made ready with: who sees nothing, its time zone, its creatives' figures."""

    list_keys: frozenset[int] = frozenset()
    timezone: str = "UTC"
    of_creatives: Mapping[int, Rates] = MappingProxyType({})


PLAIN = Setting()


def contender_of(
    campaign: Campaign,
    creatives: Sequence[Creative],
    rates: Rates,
    experiments: Sequence[Experiment] = (),
    peace: Peace | None = None,
    setting: Setting = PLAIN,
) -> Contender:
    """The campaign made ready; `hear` judges it as if it were reckoned anew each time.

    A creative of which nothing is known apart is believed to be as its campaign.
    """
    peace, aim = peace or peace_of(campaign, None), aim_of(campaign.targeting, setting.timezone)
    whole = _contender(campaign, creatives, rates, peace, setting, aim)
    trials = tuple(_trial(one, campaign, creatives, rates, (peace, setting, aim)) for one in experiments)
    return msgspec.structs.replace(whole, trials=trials) if trials else whole


def _trial(
    experiment: Experiment,
    campaign: Campaign,
    creatives: Sequence[Creative],
    rates: Rates,
    rest: tuple[Peace, Setting, Aim | None],
) -> Trial:
    """In an arm of audiences whoever belongs to any arm's is compared, and so enters before it is judged.

    Arms of creatives are all worth what the campaign is: else the one that is clicked more would win more.
    """
    arms = []
    for number, arm in enumerate(experiment.arms):
        entry = Entry(experiment.key, number, campaign.key)
        if experiment.subject is Subject.AUDIENCES:
            arms.append(_contender(_among(campaign, arm.audience_keys), creatives, rates, *rest))
        else:
            shown = [one for one in creatives if one.key in arm.creative_keys]
            made = _contender(campaign, shown, rates, *rest)
            worth = made.views
            if made.by_creative:
                worth = odds_of(campaign.terms.pricing_model, campaign.key, rates)
            arms.append(msgspec.structs.replace(made, entry=entry, views=worth))
    return Trial(experiment, tuple(arms))


def _among(campaign: Campaign, audience_keys: Sequence[int]) -> Campaign:
    rates = tuple(one for one in campaign.terms.audience_rates if one.audience_key in audience_keys)
    terms = msgspec.structs.replace(campaign.terms, audience_rates=rates)
    return msgspec.structs.replace(campaign, terms=terms)


def _contender(
    campaign: Campaign,
    creatives: Sequence[Creative],
    rates: Rates,
    peace: Peace,
    setting: Setting,
    aim: Aim | None,
) -> Contender:
    live = [shown for creative in creatives if (shown := live_version(creative)) is not None]
    runs = campaign.status is Status.ACTIVE and bool(live)
    audiences = [named.audience_key for named in campaign.terms.audience_rates]
    messages = [creative for creative in live if creative.template == MESSAGE]
    caps_creatives = any(creative.frequency_cap is not None for creative in live)
    model = campaign.terms.pricing_model
    return Contender(
        campaign,
        tuple(creatives),
        rates,
        campaign.advertiser_key if campaign.product_set_key is None else -campaign.product_set_key,
        (campaign.starts_at_ms or 0) if runs else 0,
        0 if not runs else FOREVER_MS if campaign.ends_at_ms is None else campaign.ends_at_ms,
        model is PricingModel.VCPM,
        campaign.pacing is Pacing.EVEN,
        _bid(campaign, 0, creatives_for(campaign, 0, live), rates),
        _bid(campaign, CONTEXTUAL, messages, rates) if campaign.contextual else None,
        {key: _bid(campaign, key, creatives_for(campaign, key, live), rates) for key in audiences} or None,
        peace,
        campaign.frequency_cap is not None or caps_creatives,
        caps_creatives,
        peace.fatigue_views > 0 and campaign.terms.pricing_model not in PER_THOUSAND,
        RANK[campaign.tier],
        model not in PER_THOUSAND,
        model is PricingModel.CPM,
        {one.key: odds_of(model, one.key, setting.of_creatives.get(one.key, rates)) for one in live},
        Odds(campaign.key, rates.view) if model is PricingModel.VCPM else None,
        _widening(campaign),
        setting.list_keys,
        aim,
    )


def _widening(campaign: Campaign) -> Widening | None:
    if campaign.products is ProductChoice.REMINDERS:
        return None
    return Widening(campaign.products, campaign.price_band)


def _bid(campaign: Campaign, audience_key: int, creatives: list[Creative], rates: Rates) -> Bid:
    seen = tuple(creatives)
    cards = tuple(creative for creative in creatives if creative.template != MESSAGE)
    messages = tuple(creative for creative in creatives if creative.template == MESSAGE)
    return Bid(
        audience_key,
        ecpm_micros(campaign, rates, audience_key),
        stake_micros(campaign, audience_key),
        smallest_price(campaign.terms, audience_key),
        seen,
        seen if cards == seen else cards,
        seen if messages == seen else messages,
        {situation: _for(situation, messages) for situation in Situation} if messages else {},
        {situation: _for(situation, seen) for situation in Situation} if messages else {},
        all(addressed_by(message) == ANSWERED for message in messages),
    )


def _for(situation: Situation, creatives: tuple[Creative, ...]) -> tuple[Creative, ...]:
    """Of messages, those that address the situation."""
    return tuple(
        creative
        for creative in creatives
        if creative.template != MESSAGE or situation in addressed_by(creative)
    )


def addressed_by(message: Creative) -> tuple[Situation, ...]:
    return message.situations or ANSWERED


class Lead(msgspec.Struct, frozen=True):
    """Who is ahead of a line-up in a throw, each with its bid, and what they bring; and who follows."""

    micros: float
    leaders: tuple[tuple[Contender, Bid], ...]
    second: tuple[int, float] | None = None  # a campaign's key, and what it brings


class Joint(msgspec.Struct, frozen=True):
    """What is so of all contenders of a line-up: cards for anyone, at any pace, in the same span of time.

    `leads` tells of each throw who is ahead, `is_fixed` that it is always the same; nobody's bid is expected
    to be below `least_micros` or costs more than `dearest`. `shares` keeps how often each ad is ahead.
    """

    advertiser_key: int
    from_ms: int
    until_ms: int
    needs_script: bool
    has_cap: bool
    currency: str
    products_key: int
    rank: int
    leads: tuple[Lead, ...]
    is_fixed: bool
    least_micros: float
    dearest: Micros
    peace: Peace  # the advertiser's part of it is so of all
    heeds_ms: int  # for so long a purchase matters to any
    click_leaders: frozenset[int]  # those leaders that views without a click make worth less
    widening: Widening | None = None
    aim: Aim | None = None
    shares: dict[tuple[int, ...], float] = {}


class LineUp(msgspec.Struct, frozen=True, eq=False):
    """The contenders of an advertiser or of the page; `joint` is None where each must be judged alone.

    `has_sets` tells that some of them show only part of the catalogue, `widens` how some show more than
    reminders; `audience_keys` and `list_keys` are those that any of them names, `has_aims` that
    some ask of the page.
    """

    contenders: tuple[Contender, ...]
    campaign_keys: tuple[int, ...]
    advertiser_keys: frozenset[int]
    currencies: frozenset[str]
    joint: Joint | None
    has_sets: bool
    widens: frozenset[ProductChoice] = frozenset()
    audience_keys: frozenset[int] = frozenset()
    list_keys: frozenset[int] = frozenset()
    has_aims: bool = False


def line_up_of(contenders: Sequence[Contender]) -> LineUp:
    together = tuple(contenders)
    keys = tuple(contender.campaign.key for contender in together)
    owners = frozenset(contender.campaign.advertiser_key for contender in together)
    currencies = frozenset(contender.campaign.terms.currency for contender in together)
    shown = frozenset(contender.products_key for contender in together)
    widenings = frozenset(contender.widening for contender in together)
    aims = frozenset(contender.aim for contender in together)
    ranks = frozenset(contender.rank for contender in together)
    kinds = (owners, currencies, shown, widenings, aims, ranks)
    is_simple = all(len(kind) == 1 for kind in kinds) and all(map(_is_simple, together))
    joint = _joint_of(together) if is_simple else None
    widens = frozenset(one.choice for one in widenings if one is not None)
    audiences = frozenset(key for contender in together for key in contender.audience_bids or ())
    lists = frozenset[int]().union(*(contender.list_keys for contender in together))
    asks = (not shown <= owners, widens, audiences, lists, not aims <= {None})
    return LineUp(together, keys, owners, currencies, joint, *asks)


NOBODY = line_up_of(())


def _is_simple(contender: Contender) -> bool:
    """Whether nothing but the visitor's doings at its shop, caps and money can keep it from answering."""
    runs, bid = contender.from_ms < contender.until_ms, contender.own_bid
    is_free = not (contender.is_paced or contender.audience_bids or contender.trials)
    is_level = not (contender.by_creative and bid.messages)  # those are for some visitors only
    return runs and is_free and is_level and bool(bid.cards)


def _joint_of(contenders: tuple[Contender, ...]) -> Joint:
    bids = [contender.own_bid for contender in contenders]
    leads = leads_of(contenders)
    return Joint(
        contenders[0].campaign.advertiser_key,
        max(contender.from_ms for contender in contenders),
        min(contender.until_ms for contender in contenders),
        any(contender.needs_script for contender in contenders),
        any(contender.has_cap for contender in contenders),
        contenders[0].campaign.terms.currency,
        contenders[0].products_key,
        contenders[0].rank,
        leads,
        all(lead.leaders is leads[0].leaders for lead in leads),
        min(floored_micros(contender, bid) for contender, bid in zip(contenders, bids, strict=True)),
        max(bid.price for bid in bids),
        contenders[0].peace,
        max(contender.peace.heeds_ms for contender in contenders),
        frozenset(one.campaign.key for lead in leads for one, _ in lead.leaders if one.tires),
        contenders[0].widening,
        contenders[0].aim,
    )


def floored_micros(contender: Contender, bid: Bid) -> float:
    """What a slot's floor is compared with; the house's own ads fill what nobody pays for."""
    return FREE_OF_FLOORS if contender.campaign.tier is Tier.HOUSE else bid.ecpm_micros


def leads_of(contenders: Sequence[Contender]) -> tuple[Lead, ...]:
    """Who is ahead in each throw, of those that show their cards to anyone, and who follows.

    Whoever cannot be either in any is not thrown: the strongest come first, so of thousands most are not.
    """
    race = _Race([contender for contender in contenders if contender.is_fixed])
    thrown = [contender for contender in contenders if not contender.is_fixed]
    bounds = [(most_of(one, one.own_bid, one.own_bid.cards), one) for one in thrown]
    for most, contender in sorted(bounds, key=itemgetter(0), reverse=True):
        if most < race.least:
            break
        race.join(contender)
    return race.leads()


class _Race:
    """Who is ahead in each throw so far, and who follows."""

    def __init__(self, fixed: Sequence[Contender]) -> None:
        stakes = sorted({one.own_bid.stake_micros for one in fixed}, reverse=True)
        dearest, next_dearest = [*stakes, -1.0, -1.0][:2]
        tied = tuple((one, one.own_bid) for one in fixed if one.own_bid.stake_micros == dearest)
        behind = next((one.campaign.key for one in fixed if one.own_bid.stake_micros == next_dearest), 0)
        self._best, self._leaders = [dearest] * THROWS, [tied] * THROWS
        self._second, self._follower = [next_dearest] * THROWS, [behind] * THROWS

    @property
    def least(self) -> float:
        """What whoever joins must reach in some throw."""
        return min(self._second)

    def join(self, contender: Contender) -> None:
        own = (contender, contender.own_bid)
        for throw, micros in enumerate(worths(*own, own[1].cards, is_kept=False)):
            best = self._best[throw]
            if micros > best:
                if best >= 0:
                    self._second[throw], self._follower[throw] = best, self._leaders[throw][0][0].campaign.key
                self._best[throw], self._leaders[throw] = micros, (own,)
            elif micros == best:
                self._leaders[throw] = (*self._leaders[throw], own)
            elif micros > self._second[throw]:
                self._second[throw], self._follower[throw] = micros, contender.campaign.key

    def leads(self) -> tuple[Lead, ...]:
        """Those of fixed worth, who are ahead in all throws alike, are so as one and the same."""
        followers = zip(self._follower, self._second, strict=True)
        seconds = [one if one[0] else None for one in followers]
        return tuple(map(Lead, self._best, self._leaders, seconds))


def most_of(contender: Contender, bid: Bid, creatives: Sequence[Creative]) -> float:
    """No throw makes the bid worth more."""
    if contender.views is not None:
        return bid.stake_micros * contender.views.most
    return bid.stake_micros * max([contender.odds[one.key].most for one in creatives])


def worths(
    contender: Contender,
    bid: Bid,
    creatives: Sequence[Creative],
    weight: float = 1.0,
    *,
    is_kept: bool = True,
) -> Sequence[float]:
    """What a thousand impressions of the best of its creatives bring, in each throw."""
    stake = bid.stake_micros
    if contender.is_fixed:
        return [stake * weight] * THROWS
    odds = [contender.odds[one.key] for one in creatives] if contender.views is None else [contender.views]
    columns = [one.kept if is_kept else one.throws() for one in odds]
    best = columns[0] if len(columns) == 1 else map(max, *columns)
    return [stake * one * weight for one in best]


class _Kept(msgspec.Struct, frozen=True):
    """A line-up, and the state of the snapshot that it was made of."""

    change: int
    network: Network
    line_up: LineUp


class Contenders:
    """The snapshot's live campaigns, each made ready when first asked for and when it has changed."""

    def __init__(self, snapshot: Snapshot, policy: PeacePolicy = DEFAULT_POLICY) -> None:
        self._snapshot = snapshot
        self._policy = policy
        self._kept: dict[int, _Kept] = {}
        self._count = 0

    def of_shop(self, advertiser_key: int) -> LineUp:
        return self._of(advertiser_key)

    def contextual(self) -> LineUp:
        """Those of any advertiser that may be shown for the page alone."""
        return self._of(NETWORK) if self._snapshot.has_contextual else NOBODY

    def _of(self, owner_key: int) -> LineUp:
        """As the snapshot is now. What it is compared by was read first: a change meanwhile is not lost."""
        change, network = self._snapshot.change_of(owner_key), self._snapshot.network
        kept = self._kept.get(owner_key)
        if kept is None or kept.change != change or kept.network is not network:
            kept = _Kept(change, network, line_up_of(self._made(owner_key)))
            self._keep(owner_key, kept)
        return kept.line_up

    def _made(self, owner_key: int) -> list[Contender]:
        snapshot = self._snapshot
        if owner_key == NETWORK:
            campaigns = snapshot.contextual_campaigns()
        else:
            campaigns = snapshot.live_campaigns(owner_key)
        believed: dict[int, Rates] = {}
        for advertiser_key in {campaign.advertiser_key for campaign in campaigns}:
            believed |= snapshot.believed(advertiser_key)
        return [self._contender(campaign, believed) for campaign in campaigns]

    def _contender(self, campaign: Campaign, believed: Mapping[int, Rates]) -> Contender:
        snapshot, owner_key = self._snapshot, campaign.advertiser_key
        peace = peace_of(campaign, snapshot.advertisers.get(owner_key), self._policy)
        creatives, figures = snapshot.creatives_of(campaign.key), believed.get(campaign.key, NO_FIGURES)
        setting = Setting(snapshot.suppressions_of(campaign), snapshot.timezone_of(owner_key), believed)
        return contender_of(
            campaign, creatives, figures, snapshot.experiments_of(campaign.key), peace, setting
        )

    def _keep(self, owner_key: int, kept: _Kept) -> None:
        """The newest; those kept longest leave where there are too many."""
        before = self._kept.pop(owner_key, None)
        self._count += len(kept.line_up.contenders) - (len(before.line_up.contenders) if before else 0)
        self._kept[owner_key] = kept
        while self._count > MOST_KEPT and len(self._kept) > 1:
            oldest = next(iter(self._kept))
            self._count -= len(self._kept.pop(oldest).line_up.contenders)
