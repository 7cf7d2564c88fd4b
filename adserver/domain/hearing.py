"""The decision: which campaign answers a slot, with which products, and why the others do not."""

from collections.abc import Mapping, Sequence
from copy import copy
from functools import partial
from itertools import chain

import msgspec

from adserver.domain.aim import Aim, Miss
from adserver.domain.auction import Group, Offer, Single, favourite, group, propensity, single
from adserver.domain.audience import asks_for
from adserver.domain.audience_size import UNCOUNTED
from adserver.domain.campaign import Creative
from adserver.domain.catalogue import Product
from adserver.domain.contender import (
    MESSAGE,
    Bid,
    Contender,
    Joint,
    LineUp,
    addressed_by,
    floored_micros,
)
from adserver.domain.decision import (
    NO_SURROUNDINGS,
    Candidate,
    Decision,
    Heard,
    NoAd,
    Request,
    Surroundings,
    Together,
    beaten_by,
)
from adserver.domain.eligibility import (
    REFUSAL_OF,
    Refusal,
    money_refusal,
    purchase_refusal,
    refusal,
    sight_refusal,
    weariness,
)
from adserver.domain.experiment import Entry, Subject, arm_of
from adserver.domain.membership import Shelves, Standing, audience_for
from adserver.domain.peace import (
    NOTHING_BURNT,
    UNTOUCHED,
    Afterwards,
    Sights,
    afterwards,
    as_if_seen,
    bought_ms,
    fatigue_factor,
)
from adserver.domain.ranking import throw_of
from adserver.domain.situation import Situation, form_is_open, situation_of_cards, situations_of
from adserver.domain.stock import Stock
from adserver.domain.suggestion import Because
from adserver.domain.visitor import Profile, Shop
from pixel.events import EventName

_MISSED = {miss: Refusal(miss.value) for miss in Miss}
_PURCHASE = EventName.PURCHASE  # looked up once: a member's name takes an enum eight times as long as this


def hear(
    request: Request,
    profile: Profile | None,
    candidates: Sequence[Candidate | Together],
    products: Mapping[int, Product],
    dice: float,
    around: Surroundings = NO_SURROUNDINGS,
) -> Heard:
    """Of the eligible campaigns of the highest tier the one that is thrown the highest worth; or NoAd.

    `profile` is None where nothing may be remembered of the visitor.
    `products` holds the catalogue's entries for the profile's interests. `dice` in [0, 1) chooses one of the
    throws that were made in advance, breaks ties and, hashed with a campaign's key, paces that campaign.
    """
    hearing = _Hearing(request, profile, products, dice, around)
    offers = hearing.offers(candidates)
    if not offers:
        return Heard(NoAd(hearing.refusals, entries=hearing.entered()), ())
    throw, tie = throw_of(dice)
    rank = max([offer.rank for offer in offers])
    ranked = [offer for offer in offers if offer.rank == rank]
    worths = [offer.at(throw) for offer in ranked]
    best = max(worths)
    ahead = [offer for offer, worth in zip(ranked, worths, strict=True) if worth == best]
    leaders = ahead[0].leaders(throw) if len(ahead) == 1 else [n for one in ahead for n in one.leaders(throw)]
    winner, bid = leaders[int(tie * len(leaders))]
    for offer in offers:
        if isinstance(offer, Single) and offer.contender is not winner:
            hearing.refusals[offer.contender.campaign.key] = beaten_by(rank, offer.rank)
    answer = hearing.of(winner).decision(winner, bid, best, throw, ranked, offers)
    return Heard(answer, offers, throw)


class _Hearing:
    """One request, and what is found out for it once: a shop's campaigns share the visitor's doings there."""

    def __init__(
        self,
        request: Request,
        profile: Profile | None,
        products: Mapping[int, Product],
        dice: float,
        around: Surroundings,
    ) -> None:
        self._request = request
        self._profile = profile
        visible = products if request.rules is None else request.rules.visible(products)
        self._stock = Stock(request, products, visible, around)
        self._dice = dice
        self._shops = {shop.advertiser_key: shop for shop in profile.shops} if profile is not None else {}
        self._has_neighbours = bool(request.page.answers)
        seen = profile
        if self._has_neighbours and profile is not None:  # a cap counts what they show
            seen = as_if_seen(profile, request.page.answers, request.now_ms)
        self._sights = Sights(seen, request.now_ms)
        self._aims: dict[Aim, Refusal | None] = {}
        self._sizes = around.sizes
        catalogue = products if around.catalogue is None else around.catalogue
        self._shelves = Shelves(catalogue, around.members)
        self._standings: dict[tuple[int, bool], Standing] = {}
        self._situations: dict[int, tuple[Situation, ...]] = {}
        self._entries: list[Entry] = []
        self._asides: dict[int, _Hearing] = {}  # by campaign: of those that heed what was bought
        self._calm: dict[int, bool] = {}  # by advertiser
        self._apart_for: dict[tuple[int, Afterwards], _Hearing] = {}  # by shop
        self.refusals: dict[int, Refusal] = {}

    def offers(self, candidates: Sequence[Candidate | Together]) -> list[Offer]:
        """Of all that may answer, in order; `refusals` hold the others."""
        offers: list[Offer] = []
        for candidate in candidates:
            if isinstance(candidate, Candidate):
                offers += self._judge(candidate)
                continue
            line_up, joint = candidate.line_up, candidate.joint
            no = self._refusal_of_all(line_up, joint)
            if no is not None:
                self.refusals.update(dict.fromkeys(line_up.campaign_keys, no))
            elif self._may_all_answer(line_up, joint) and candidate.exchange_rate:
                offers.append(group(line_up, joint, candidate.exchange_rate))
            else:
                offers += chain.from_iterable(map(self._judge, candidate.each()))
        return offers

    def _refusal_of_all(self, line_up: LineUp, joint: Joint) -> Refusal | None:
        """What keeps all of a line-up away, where none of them has a reason of its own to be asked before."""
        if not self._sights.shown or self._request.test or not self._are_all_up(line_up, joint):
            return None
        return weariness(joint.advertiser_key, joint.peace, self._sights)

    def _are_all_up(self, line_up: LineUp, joint: Joint) -> bool:
        """Whether nothing in their own state, no publisher's wish, purchase or cap is against any of them."""
        request, shop = self._request, self._shops.get(joint.advertiser_key)
        return (
            shop is not None
            and not shop.blocked_at_ms
            and (request.rules is None or not request.rules.refusal(joint.advertiser_key))
            and joint.from_ms <= request.now_ms < joint.until_ms
            and (not line_up.list_keys or line_up.list_keys.isdisjoint(request.list_keys))
            and not (request.image and joint.needs_script)
            and (joint.aim is None or self._missed(joint.aim) is None)
            and not (self._has_neighbours and self._stands_beside(line_up, joint))
            and bought_ms(shop) + joint.heeds_ms <= request.now_ms
            and not (joint.has_cap and not self._sights.shown.keys().isdisjoint(line_up.campaign_keys))
        )

    def _may_all_answer(self, line_up: LineUp, joint: Joint) -> bool:
        """Whether none of the line-up has anything against it, so that nobody must be asked alone."""
        slot = self._request.slot
        return (
            self._are_all_up(line_up, joint)
            and not self._is_tired_of_any(line_up, joint)
            and not self._has_seen_leaders_of(joint)
            and not (joint.least_micros < slot.floor_cpm_micros and joint.currency == slot.currency)
            and bool(
                self._stock.of(self._shops[joint.advertiser_key], joint.products_key, joint.widening).chosen
            )
        )

    def _has_seen_leaders_of(self, joint: Joint) -> bool:
        """Whether those with the best bid are worth less to this visitor; the others can but fall behind."""
        if not self._sights.shown or self._request.test:
            return False
        leaders = joint.click_leaders
        return any(key in leaders and self._sights.views_without_click(key) for key in self._sights.shown)

    def _is_tired_of_any(self, line_up: LineUp, joint: Joint) -> bool:
        if not self._sights.shown or self._request.test:
            return False
        tired_of = self._sights.tired_of(joint.peace.fatigue_views)
        return bool(tired_of) and not tired_of.isdisjoint(line_up.campaign_keys)

    def _stands_beside(self, line_up: LineUp, joint: Joint) -> bool:
        """Whether the page's other slots have something against some of the line-up."""
        is_rival = joint.advertiser_key in self._request.page.rivals
        return is_rival or not self._request.spared.isdisjoint(line_up.campaign_keys)

    def _judge(self, candidate: Candidate) -> list[Offer]:
        """What the candidate bids; nothing where there is a reason against it."""
        if candidate.contender.trials:
            candidate = self._in_arm(candidate)
        offer = self._offer(candidate)
        if isinstance(offer, Single):
            return [offer]
        self.refusals[candidate.contender.campaign.key] = offer
        return []

    def _in_arm(self, candidate: Candidate) -> Candidate:
        """The campaign as the visitor's arm of the experiment under way has it; as it is for all others."""
        request, whole = self._request, candidate.contender
        running = (one for one in whole.trials if one.experiment.runs(request.now_ms))
        trial = None if request.test else next(running, None)
        arm = None if trial is None else arm_of(trial.experiment, request.visitor_key)
        if trial is None or arm is None:
            return candidate
        if trial.experiment.subject is Subject.AUDIENCES and self._belongs(candidate):
            self._entries.append(Entry(trial.experiment.key, arm, whole.campaign.key))
        return msgspec.structs.replace(candidate, contender=trial.arms[arm])

    def _belongs(self, candidate: Candidate) -> bool:
        """Whether the campaign runs, and some audience of it holds the visitor."""
        whole = candidate.contender
        return (
            whole.from_ms <= self._request.now_ms < whole.until_ms
            and whole.campaign.advertiser_key in self._shops
            and isinstance(self._bid_for_member(candidate), Bid)
        )

    def entered(self, winner: Contender | None = None) -> tuple[Entry, ...]:
        """The arms that the visitor is in by this request."""
        own = winner.entry if winner is not None else None
        return tuple(self._entries) if own is None else (*self._entries, own)

    def _offer(self, candidate: Candidate) -> Single | Refusal:
        """What the candidate bids, or the first reason against it."""
        request, slot, contender = self._request, self._request.slot, candidate.contender
        no = request.rules.refusal(contender.campaign.advertiser_key) if request.rules else None
        no = no or self._refusal(contender) or self._misplaced(contender) or self._peace_refusal(candidate)
        if no is not None:
            return no
        bid = self._bid_after_purchase(candidate)
        if isinstance(bid, Refusal):
            return bid
        if candidate.exchange_rate is None:
            return Refusal.NO_EXCHANGE_RATE
        floor = slot.floor_cpm_micros
        if floored_micros(contender, bid) < floor and slot.currency == contender.campaign.terms.currency:
            return Refusal.BELOW_FLOOR
        # Only of a paced campaign, or where it cannot pay, there is more to be asked about money.
        may_end = bid.price and (contender.is_paced or not candidate.balance.can_pay(bid.price))
        if may_end and not request.test:
            no = money_refusal(contender.campaign, candidate.balance, self._dice, bid.audience_key)
            if no is not None:
                return no
        weight = candidate.exchange_rate
        if contender.campaign.key in self._sights.shown:
            weight *= self._freshness(contender)
        return single(contender, bid, self.of(contender)._showable(contender, bid), weight)

    def _freshness(self, contender: Contender) -> float:
        """What its views without a click leave of a campaign's click rate."""
        if not contender.tires or self._request.test:
            return 1.0
        return fatigue_factor(self._sights.views_without_click(contender.campaign.key))

    def of(self, contender: Contender) -> "_Hearing":
        """As the contender was heard."""
        return self._asides.get(contender.campaign.key, self)

    def decision(
        self,
        winner: Contender,
        bid: Bid,
        ecpm: float,
        throw: int,
        ranked: Sequence[Offer],
        offers: Sequence[Offer],
    ) -> Decision:
        """The winner's creative that is clicked most in this throw."""
        campaign, creatives, situation = winner.campaign, self._showable(winner, bid), None
        because: Mapping[int, Because] = {}
        creative = favourite(winner, creatives, throw)
        products: tuple[Product, ...] = ()
        if creative.template != MESSAGE:
            known = self._stock.found(winner)
            products, because = known.chosen, known.because
        is_reminder = not products or products[0].key not in because
        if creative.copies and is_reminder and bid is not winner.page_bid:
            situation = self._situation(campaign.advertiser_key, creative, products)
        outbid = tuple([offer.line_up for offer in offers if isinstance(offer, Group)])
        answered = (campaign, creative, products, ecpm, self.refusals, bid.audience_key, outbid)
        likely, entries = propensity(ranked, winner, creative, creatives), self.entered(winner)
        return Decision(*answered, situation, because, entries=entries, propensity=likely, rates=winner.rates)

    def _situation(
        self, advertiser_key: int, creative: Creative, products: tuple[Product, ...]
    ) -> Situation | None:
        """The strongest that the creative is for."""
        if products:
            return situation_of_cards(self._shops[advertiser_key], products, self._request.now_ms)
        found = self._situations_at(advertiser_key)
        return next((one for one in found if one in addressed_by(creative)), None)

    def _refusal(self, contender: Contender) -> Refusal | None:
        """Its rules are asked only where one of them may have something against it."""
        request = self._request
        is_up = contender.from_ms <= request.now_ms < contender.until_ms
        if is_up and not (request.image and contender.needs_script):
            return None
        return refusal(contender.campaign, contender.creatives, request.image, request.now_ms)

    def _peace_refusal(self, candidate: Candidate) -> Refusal | None:
        """What the visitor has said, bought and seen; a test visitor is spared the last two."""
        contender = candidate.contender
        if self._is_calm(contender) and contender.campaign.key not in self._sights.shown:
            return None
        shop = self._shops.get(contender.campaign.advertiser_key)
        if shop is not None and shop.blocked_at_ms:
            return Refusal.SHOP_UNWANTED
        if self._request.test:
            return None
        if shop is not None and bought_ms(shop):
            no = purchase_refusal(shop, self._afterwards(candidate, shop))
            if no is not None:
                return no
        return sight_refusal(contender, self._sights)

    def _is_calm(self, contender: Contender) -> bool:
        """Whether nothing is against any campaign of its advertiser but what was seen of that very one."""
        advertiser_key = contender.campaign.advertiser_key
        is_calm = self._calm.get(advertiser_key)
        if is_calm is None:
            shop, sights = self._shops.get(advertiser_key), self._sights
            is_calm = shop is None or not (shop.blocked_at_ms or bought_ms(shop))
            is_calm = is_calm and sights.may_count and not weariness(advertiser_key, contender.peace, sights)
            self._calm[advertiser_key] = is_calm
        return is_calm

    def _afterwards(self, candidate: Candidate, shop: Shop) -> Afterwards:
        contender, audiences = candidate.contender, candidate.audiences
        named = (audiences.get(one.audience_key) for one in contender.campaign.terms.audience_rates)
        addresses_buyers = any(one is not None and asks_for(one.audience, _PURCHASE) for one in named)
        return afterwards(shop, contender.peace, addresses_buyers, self._request.now_ms)

    def _bid_after_purchase(self, candidate: Candidate) -> Bid | Refusal:
        """As the campaign may bid that heeds what was bought; most visitors have bought nothing."""
        contender = candidate.contender
        if self._is_calm(contender) or self._request.test:
            return self._bid(candidate)
        shop = self._shops.get(contender.campaign.advertiser_key)
        if shop is None or not bought_ms(shop):
            return self._bid(candidate)
        after = self._afterwards(candidate, shop)
        if after == UNTOUCHED:
            return self._bid(candidate)
        aside = self._asides[contender.campaign.key] = self._apart(shop, after)
        bid = aside._bid(candidate)
        if isinstance(bid, Refusal) and after.burnt != NOTHING_BURNT:
            unburnt = self._apart(shop, Afterwards(after.since_ms))._bid(candidate)
            return bid if isinstance(unburnt, Refusal) else Refusal.BURNED
        return bid

    def _apart(self, shop: Shop, after: Afterwards) -> "_Hearing":
        """The hearing with less to be chosen from: who is in an audience stays so."""
        known = self._apart_for.get((shop.advertiser_key, after))
        if known is not None:
            return known
        aside = self._apart_for[shop.advertiser_key, after] = copy(self)
        aside._shops = self._shops | {shop.advertiser_key: after.shop(shop)}
        aside._stock, aside._situations = self._stock.after(after), {}
        return aside

    def _misplaced(self, contender: Contender) -> Refusal | None:
        """What the place, or what else stands there, has against the campaign."""
        if contender.aim is None and not self._has_neighbours:
            return None
        request, campaign = self._request, contender.campaign
        if campaign.advertiser_key in request.page.rivals:
            return Refusal.COMPETITOR_ON_PAGE
        no = None if contender.aim is None else self._missed(contender.aim)
        return no or (Refusal.SHOWN_BESIDE if campaign.key in request.spared else None)

    def _missed(self, aim: Aim) -> Refusal | None:
        """What its targeting has against the page; asked once of campaigns that address the same."""
        if aim not in self._aims:
            miss = aim.miss(self._request.page, self._request.now_ms)
            self._aims[aim] = None if miss is None else _MISSED[miss]
        return self._aims[aim]

    def _bid(self, candidate: Candidate) -> Bid | Refusal:
        """For the visitor's sake where the campaign's audience holds them, else for the page's."""
        contender, standing = candidate.contender, Standing.OUTSIDE
        shop = self._shops.get(contender.campaign.advertiser_key)
        if shop is not None and shop.blocked_at_ms:
            return Refusal.SHOP_UNWANTED
        if contender.list_keys and not contender.list_keys.isdisjoint(self._request.list_keys):
            return Refusal.SUPPRESSED
        if shop is not None:
            bid = self._bid_for_member(candidate)
            if isinstance(bid, Bid):
                return self._refusal_to_member(contender, bid, shop) or bid
            standing = bid
        if contender.page_bid is None:
            return REFUSAL_OF[standing]
        if not contender.page_bid.messages:
            return Refusal.NO_MESSAGE
        if contender.caps_creatives and not self._showable(contender, contender.page_bid):
            return self._worn_out()
        return contender.page_bid

    def _bid_for_member(self, candidate: Candidate) -> Bid | Standing:
        contender = candidate.contender
        if contender.audience_bids is None:
            return contender.own_bid
        found = audience_for(contender.campaign.terms, partial(self._standing, candidate))
        return found if isinstance(found, Standing) else contender.audience_bids[found]

    def _standing(self, candidate: Candidate, audience_key: int) -> Standing:
        """How an audience stands to the visitor; found out once for all campaigns that name it."""
        contender = candidate.contender
        by_place = contender.aim is not None and contender.campaign.targeting.by_place
        narrowed = by_place or bool(contender.list_keys)
        known = self._standings.get((audience_key, narrowed))
        if known is not None:
            return known
        membership, standing = candidate.audiences.get(audience_key), Standing.OUTSIDE
        if membership is not None and self._profile is not None:
            size = self._sizes.get(audience_key, UNCOUNTED)
            asked = (self._profile, self._request.now_ms, self._shelves, size)
            standing = membership.standing(*asked, narrowed=narrowed)
        self._standings[audience_key, narrowed] = standing
        return standing

    def _refusal_to_member(self, contender: Contender, bid: Bid, shop: Shop) -> Refusal | None:
        """Whether none of the creatives that the visitor's audience may see has something to show."""
        if not bid.creatives:  # not approved, or this worker has not heard of them yet
            return Refusal.NO_CREATIVE
        known = self._stock.of(shop, contender.products_key, contender.widening)
        if self._showable(contender, bid):
            return None
        if contender.caps_creatives and self._fitting(contender, bid):
            return self._worn_out()
        if bid.cards:
            return known.no_product
        return Refusal.NO_OPEN_FORM if bid.for_forms else Refusal.NOT_IN_SITUATION

    def _showable(self, contender: Contender, bid: Bid) -> tuple[Creative, ...]:
        """Of those that fit, the creatives that the visitor has not seen as often as they may be."""
        fitting = self._fitting(contender, bid)
        if not contender.caps_creatives or self._request.test:
            return fitting
        campaign_key, sights = contender.campaign.key, self._sights
        return tuple([one for one in fitting if not sights.has_worn_out(campaign_key, one)])

    def _worn_out(self) -> Refusal:
        return Refusal.CREATIVE_CAP if self._sights.may_count else Refusal.FREQUENCY_UNKNOWN

    def _fitting(self, contender: Contender, bid: Bid) -> tuple[Creative, ...]:
        """Cards show what is chosen by the visitor's doings, messages speak to a situation, or the page."""
        if bid is contender.page_bid:
            return bid.messages
        advertiser_key = contender.campaign.advertiser_key
        cards = bid.cards if self._stock.found(contender).chosen else ()
        if not bid.messages:
            return cards
        table = bid.along if cards else bid.addressed
        if bid.for_forms:
            is_open = form_is_open(self._shops[advertiser_key], self._request.now_ms)
            return table[Situation.FORM_ABANDONED] if is_open else cards
        situations = self._situations_at(advertiser_key)
        if len(situations) == 1:
            return table[situations[0]]
        fitting = {creative.key for situation in situations for creative in table[situation]}
        return tuple(one for one in bid.creatives if one.key in fitting) or cards

    def _situations_at(self, advertiser_key: int) -> tuple[Situation, ...]:
        found = self._situations.get(advertiser_key)
        if found is None:
            found = situations_of(self._shops[advertiser_key], self._request.now_ms)
            self._situations[advertiser_key] = found
        return found
