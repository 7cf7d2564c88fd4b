"""What a decision needs is fetched, and the decision made."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter

import msgspec

from adserver.domain.beside import beyond, decide_beside
from adserver.domain.caller import Caller, is_from
from adserver.domain.catalogue import Product
from adserver.domain.choice import all_choices, choose_products, first_choices, is_settled
from adserver.domain.consent_hold import ConsentHold
from adserver.domain.contender import Contenders, LineUp, line_up_of
from adserver.domain.decision import Candidate, Decision, Heard, NoAd, Request, Surroundings, Together
from adserver.domain.decision_sample import is_sampled, sample_of
from adserver.domain.experiment import is_held_out
from adserver.domain.hearing import hear
from adserver.domain.holdout import Candidates, heard_for, with_all_ghosts
from adserver.domain.house_rules import HouseRules, HouseRulesOf
from adserver.domain.memory import Memory
from adserver.domain.money import ZERO, Micros
from adserver.domain.page import NO_PAGE, Page
from adserver.domain.peace import bought_ms
from adserver.domain.product_choice import ProductChoice
from adserver.domain.rivals import rivals_of
from adserver.domain.sensitive import Sensitive
from adserver.domain.sightings import profile_of
from adserver.domain.slot import Site, Slot
from adserver.domain.slot_counts import is_foreign
from adserver.domain.snapshot import Snapshot
from adserver.domain.suggestion import Suggested, learnt_of, suggested
from adserver.domain.visitor import Profile, Shop
from adserver.domain.whereabouts import page_at
from adserver.flows.serve.asked import NOTHING_STATED, ServingPolicy, SlotRequest, Stated
from adserver.ports import Clock, Refreshed, Stores
from creatives.formats import FORMATS
from pixel.consent import Consent, Signals
from pixel.consent import decide as decide_consent

NO_LISTS = frozenset[int]()


class Viewer(msgspec.Struct, frozen=True):
    """Who looks at a slot, as far as this request's consent lets us know.

    Without a `visitor_key` the profile holds what the cookie of their site counted, and is None where that
    may not be kept either.
    """

    consent: Consent
    visitor_key: int = 0
    profile: Profile | None = None


class Fetched(msgspec.Struct, frozen=True):
    """All that a decision looks at, but the dice."""

    viewer: Viewer
    request: Request
    candidates: Sequence[Candidate | Together]
    products: Mapping[int, Product]
    known: Snapshot
    besides: Mapping[int, Suggested]

    def heard(self, dice: float) -> Heard:
        """By this throw, and beside what the page's other slots show."""
        if not self.request.page.answers:
            return self._heard(self.request, self.products, dice)
        tried: list[Heard] = []

        def answered(asked: Request, shown: Mapping[int, Product]) -> Decision | NoAd:
            tried.append(self._heard(asked, shown, dice))
            return tried[-1].answer

        decide_beside(self.request, self.products, answered)
        return with_all_ghosts(tried)

    def _heard(self, request: Request, products: Mapping[int, Product], dice: float) -> Heard:
        """Where the winner holds the visitor out, its ad is a ghost, and another answers."""
        profile, known = self.viewer.profile, self.known
        around = Surroundings(known.members, self.besides, known.audience_sizes, self.products)

        def ask(candidates: Candidates) -> Heard:
            return hear(request, profile, candidates, products, dice, around)

        if request.test or not self.viewer.visitor_key:
            return ask(self.candidates)
        return heard_for(self.candidates, ask, self._holds_out)

    def _holds_out(self, advertiser_key: int) -> bool:
        return is_held_out(self.viewer.visitor_key, self.known.advertisers[advertiser_key])


class Judged(msgspec.Struct, frozen=True):
    """The answer, whom it was made for, and its features where it is one of those that are kept."""

    answer: Decision | NoAd
    viewer: Viewer
    sample: bytes = b""


class Judge:
    """Decides about slots, as this worker knows the world."""

    def __init__(
        self,
        memory: Memory,
        stores: Stores,
        refresh: Refreshed,
        clock: Clock,
        dice: Callable[[], float],
        policy: ServingPolicy,
    ) -> None:
        self._memory = memory
        self._snapshot = memory.snapshot
        self._contenders = Contenders(memory.snapshot, policy.peace)
        self._house_rules = HouseRulesOf(memory.snapshot)
        self._catalogue = stores.catalogue
        self._recommendations = stores.recommendations
        self._profiles = stores.profiles
        self._suppressions = stores.suppressions
        self._writer = stores.writer
        self._refresh = refresh
        self._clock = clock
        self._dice = dice
        self._policy = policy
        self._sensitive = Sensitive(policy.sensitive_categories)

    def viewer(self, consent: Consent, caller: Caller) -> Viewer:
        """Who looks, as far as the consent lets us know."""
        visitor_key = visitor_of(caller, consent)
        profile = self._profiles.profile(visitor_key) if visitor_key else None
        if profile is not None:
            return Viewer(consent, visitor_key, profile)
        seen_here = profile_of(caller.seen_here, self._snapshot.ad_of) if consent.may_cap else None
        return Viewer(consent, 0, seen_here)

    def judge(
        self, slot: Slot, site: Site, consent: Consent, caller: Caller, now_ms: int, stated: Stated
    ) -> Judged:
        fetched = self.fetch(slot, site, consent, caller, now_ms, stated)
        if fetched is None:
            return Judged(NoAd({}), Viewer(consent))
        dice = self._dice()
        heard, viewer = fetched.heard(dice), fetched.viewer
        sample = b""
        if not caller.test and is_sampled(viewer.visitor_key, now_ms, dice):
            sample = sample_of(heard, fetched.request, viewer.profile, dice)
        return Judged(heard.answer, viewer, sample)

    def fetch(
        self,
        slot: Slot,
        site: Site,
        consent: Consent,
        caller: Caller,
        now_ms: int,
        stated: Stated = NOTHING_STATED,
    ) -> Fetched | None:
        """What the decision for this caller looks at; None where nobody is answered."""
        is_person = caller.robot is None and not is_foreign(caller, site)
        if not is_person or not self._writer.records:
            return None
        return self.fetch_for(self.viewer(consent, caller), slot, site, caller, now_ms, stated)

    def fetch_for(
        self, viewer: Viewer, slot: Slot, site: Site, caller: Caller, now_ms: int, stated: Stated
    ) -> Fetched:
        """The same for whom the caller knows already, or describes."""
        visited = self._visited(viewer.profile)
        line_ups = self._line_ups(visited)
        candidates = self._candidates(line_ups, now_ms)
        cards = stated.image_cards or FORMATS[slot.format_name].cards
        rules = self._house_rules.at(slot, site)
        page = NO_PAGE
        if stated.answers or any(map(_has_aims, line_ups)):
            page = self._page(site, caller, stated, line_ups, rules)
        lists, visitor_key = self._lists(viewer, candidates), viewer.visitor_key
        request = Request(
            slot, cards, stated.image_cards > 0, now_ms, caller.test, rules, visitor_key, lists, page
        )
        products, besides = self._products(visited, request)
        return Fetched(viewer, request, candidates, products, self._snapshot, besides)

    def _lists(self, viewer: Viewer, candidates: Sequence[Candidate | Together]) -> frozenset[int]:
        """The suppression lists that the visitor is on; nobody looks where no campaign has one."""
        if not viewer.visitor_key:
            return NO_LISTS
        for candidate in candidates:
            has_lists = candidate.contender if isinstance(candidate, Candidate) else candidate.line_up
            if has_lists.list_keys:
                return self._suppressions.lists_of(viewer.visitor_key)
        return NO_LISTS

    def _page(
        self, site: Site, caller: Caller, stated: Stated, line_ups: Sequence[LineUp], rules: HouseRules | None
    ) -> Page:
        """What is known of the place; read only where a campaign asks, or the page has other slots."""
        page = page_at(caller, site, stated.keywords, stated.categories, stated.answers)
        if not stated.answers:
            return page
        known = self._snapshot.advertisers
        shown = [known[one.advertiser_key] for one in stated.answers if one.advertiser_key in known]
        keys = frozenset[int]().union(*[line_up.advertiser_keys for line_up in line_ups])
        others = [known[key] for key in keys if key in known]
        by_category = rules is not None and rules.separates_competitors
        return msgspec.structs.replace(page, rivals=rivals_of(shown, others, by_category))

    def products(self, keys: Mapping[int, Sequence[int]]) -> Mapping[int, Product]:
        """Those of advertisers' catalogues that are there."""
        return self._snapshot.shelf.products(keys, self._read)

    def consent(self, site: Site, ask: SlotRequest, caller: Caller) -> Consent:
        """What this site's request allows, and no other's."""
        return decide_consent(
            Signals(
                region=caller.region,
                now_ms=self._clock(),
                said=ask.said,
                vendor_id=self._policy.tcf_vendor_id,
                origin_verified=is_from(caller.origin, site.domains),
                global_privacy_control=caller.global_privacy_control,
                assertions_held=site.consent_hold is ConsentHold.HELD,
                opted_out=caller.opted_out,
                has_cookie=bool(caller.visitor_key or caller.seen_here),
            )
        )

    def _candidates(self, line_ups: Sequence[LineUp], now_ms: int) -> list[Candidate | Together]:
        """Contextual campaigns, and those of shops this visitor knows; others are out of audience unseen."""
        rates = self._exchange_rates(line_ups)
        most = self._most_under_way(line_ups)
        self._refresh()  # after that: what is billed just now is counted twice for a moment, never left out
        exact = [line_up for line_up in line_ups if not self._can_all_pay(line_up, most, now_ms)]
        under_way: Mapping[int, Micros] = {}
        if exact:
            under_way = self._under_way(exact)
            self._refresh()
        candidates: list[Candidate | Together] = []
        for line_up in line_ups:
            joint = line_up.joint
            if joint and (line_up not in exact or self._can_all_pay(line_up, under_way, now_ms)):
                candidates.append(Together(line_up, joint, rates.get(joint.currency)))
            else:
                candidates += self._each(line_up, under_way, rates, now_ms)
        return candidates

    def _can_all_pay(self, line_up: LineUp, under_way: Mapping[int, Micros], now_ms: int) -> bool:
        joint = line_up.joint
        return joint is not None and self._memory.can_all_pay(
            joint.advertiser_key, joint.dearest, under_way, now_ms
        )

    def _visited(self, profile: Profile | None) -> list[tuple[Shop, LineUp]]:
        """The shops that the visitor knows and that have campaigns, with these."""
        of_shop = self._contenders.of_shop
        return [
            (shop, line_up)
            for shop in (profile.shops if profile is not None else ())
            if (line_up := of_shop(shop.advertiser_key)).contenders
        ]

    def _line_ups(self, visited: Sequence[tuple[Shop, LineUp]]) -> list[LineUp]:
        """Of the shops, and of the page: each campaign once."""
        line_ups = [line_up for _, line_up in visited]
        for_page = self._contenders.contextual()
        if not for_page.contenders:
            return line_ups
        shops = {shop.advertiser_key for shop, _ in visited}
        if not for_page.advertiser_keys.isdisjoint(shops):
            others = [one for one in for_page.contenders if one.campaign.advertiser_key not in shops]
            for_page = line_up_of(others)
        return [*line_ups, for_page] if for_page.contenders else line_ups

    def _each(
        self, line_up: LineUp, under_way: Mapping[int, Micros], rates: Mapping[str, float], now_ms: int
    ) -> list[Candidate]:
        campaigns = [contender.campaign for contender in line_up.contenders]
        balances = self._memory.balances(campaigns, under_way, now_ms)
        audiences = self._snapshot.memberships
        return [
            Candidate(contender, balance, rates.get(contender.campaign.terms.currency), audiences)
            for contender, balance in zip(line_up.contenders, balances, strict=True)
        ]

    def _most_under_way(self, line_ups: Sequence[LineUp]) -> dict[int, Micros]:
        """By advertiser, no less than that of all its campaigns where they are judged together."""
        most: dict[int, Micros] = {}
        for line_up in line_ups:
            if line_up.joint is not None:
                key = line_up.joint.advertiser_key
                most[key] = self._memory.unconfirmed.most_of(key, self._writer.most_under_way(key))
        return most

    def _under_way(self, line_ups: Sequence[LineUp]) -> dict[int, Micros]:
        """What all workers' ads of a moment ago will probably cost, by campaign and by advertiser."""
        keys = [key for line_up in line_ups for key in line_up.campaign_keys]
        under_way = self._memory.unconfirmed.expected_of(keys, self._writer.under_way(keys))
        of_all: dict[int, Micros] = {}
        for key, expected in under_way.items():
            advertiser_key = self._snapshot.campaigns[key].advertiser_key
            of_all[advertiser_key] = Micros(of_all.get(advertiser_key, ZERO) + expected)
        return under_way | of_all

    def _exchange_rates(self, line_ups: Sequence[LineUp]) -> Mapping[str, float]:
        """One currency needs no rate; several are compared only by the rates the operator gave."""
        currencies = line_ups[0].currencies if line_ups else frozenset[str]()
        for line_up in line_ups:
            if line_up.currencies != currencies:
                currencies |= line_up.currencies
        if len(currencies) == 1:
            return dict.fromkeys(currencies, 1.0)
        return self._policy.ranking_rates

    def _products(
        self, known: Sequence[tuple[Shop, LineUp]], request: Request
    ) -> tuple[Mapping[int, Product], Mapping[int, Suggested]]:
        """Each shop's first choices; more of its interests only where one of those cannot be bought now.

        Or where campaigns show only part of the catalogue, or heed what was bought, or the page shows some of
        them already: the first choices may lie outside of what they show. And what audiences ask of the
        catalogue; and what is suggested where some campaigns show that, and there is room.
        """
        rules, now_ms, cards = request.rules, request.now_ms, request.cards
        shelf, read = self._snapshot.shelf, self._read
        first = {shop.advertiser_key: first_choices(shop, cards, now_ms) for shop, _ in known}
        found = shelf.products(first, read)
        visible = found if rules is None else rules.visible(found)
        if request.page.answers:
            visible = beyond(visible, request.page.products_answered())
        more = {
            shop.advertiser_key: all_choices(shop)
            for shop, line_up in known
            if line_up.has_sets or bought_ms(shop) or not is_settled(first[shop.advertiser_key], visible)
        }
        for shop, line_up in known:
            if line_up.audience_keys and (asked := self._items_asked(shop, line_up)):
                more[shop.advertiser_key] = [*more.get(shop.advertiser_key, ()), *asked]
        if more:
            found = {**found, **shelf.products(more, read)}
        widening = [each for each in known if each[1].widens]
        if not widening or not self._policy.recommends:
            return found, {}
        visible = found if rules is None else rules.visible(found)
        visible = beyond(visible, request.page.products_answered())
        besides = {
            shop.advertiser_key: self._suggested(shop, now_ms)
            for shop, line_up in widening
            if _has_room(shop, line_up, visible, cards, now_ms)
        }
        wanted = {key: one.keys() for key, one in besides.items()}
        return {**found, **shelf.products(wanted, read)}, besides

    def _suggested(self, shop: Shop, now_ms: int) -> Suggested:
        wanted = {shop.advertiser_key: learnt_of(shop, now_ms)}
        read = partial(self._recommendations.learnt, shop.advertiser_key)
        return suggested(shop, self._snapshot.learnt.products(wanted, read), now_ms)

    def _read(self, keys: Iterable[int]) -> Mapping[int, Product]:
        return self._sensitive.marked(self._catalogue.products(keys))

    def _items_asked(self, shop: Shop, line_up: LineUp) -> list[int]:
        found = map(self._snapshot.memberships.get, line_up.audience_keys)
        return [key for one in found if one and one.asks_the_catalogue for key in one.items_asked(shop)]


def _has_room(shop: Shop, line_up: LineUp, products: Mapping[int, Product], cards: int, now_ms: int) -> bool:
    """Whether reminders leave any of the cards to something else, in one of the campaigns."""
    is_wide = line_up.has_sets or ProductChoice.BOUGHT_TOGETHER in line_up.widens
    return is_wide or bought_ms(shop) > 0 or len(choose_products(shop, products, cards, now_ms)) < cards


_has_aims = attrgetter("has_aims")


def visitor_of(caller: Caller, consent: Consent) -> int:
    """The visitor's key where we may choose by it, else 0; what is not measured could not be billed."""
    return caller.visitor_key if consent.may_personalise and consent.may_measure else 0
