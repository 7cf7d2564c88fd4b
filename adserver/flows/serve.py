"""An ad goes out: snapshot and profile in, a document or picture with signed links out."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from urllib.parse import quote

import msgspec

from adserver.domain.caller import Caller, is_from, on_site
from adserver.domain.campaign import PERIOD_MS
from adserver.domain.catalogue import Product, card_of
from adserver.domain.click_prefix import allowed_prefix
from adserver.domain.consent_hold import ConsentHold
from adserver.domain.contender import MESSAGE, Contenders, LineUp, line_up_of
from adserver.domain.decision import (
    Candidate,
    Decision,
    NoAd,
    Request,
    Together,
    all_choices,
    decide,
    first_choices,
    is_settled,
)
from adserver.domain.house_rules import HouseRules, HouseRulesOf
from adserver.domain.looks import Looks
from adserver.domain.memory import Memory
from adserver.domain.money import ZERO, Micros
from adserver.domain.offer import still
from adserver.domain.pricing import BILLED_EVENT, smallest_price
from adserver.domain.sightings import noted, profile_of, seconds_needed
from adserver.domain.slot import OnEmpty, Site, Slot
from adserver.domain.slot_counts import SlotCounts, is_foreign
from adserver.domain.snapshot import NO_FIGURES
from adserver.domain.token import AdToken, Secrets, sign
from adserver.domain.visitor import Profile, Shop
from adserver.domain.worth import chance_of
from adserver.ports import Clock, Refreshed, Stores
from adserver.writes import RecordDecision
from creatives.card import Card
from creatives.formats import FORMATS, Format
from creatives.html import Beacons, HouseDocument, Look, house_document
from creatives.ready import Ready
from pixel.consent import NOTHING_SAID, Consent, Said, Signals
from pixel.consent import decide as decide_consent
from pixel.cookie import KeyRing, names_for
from pixel.site_cookie import expire_site, mint_site, set_site

CARDS_OF_IMAGE = 4  # frames of one GIF
CAROUSEL = "carousel"


class ServingPolicy(msgspec.Struct, frozen=True):
    """The operator's settings: our own address, what currencies are worth to the ranking, keys, an IAB id."""

    base_url: str
    ranking_rates: Mapping[str, float]
    cookie_keys: KeyRing
    tcf_vendor_id: int | None = None


class Chance(msgspec.Struct, frozen=True):
    """Where ids and the decision's dice (in [0, 1)) come from."""

    mint_key: Callable[[], int]
    dice: Callable[[], float]


class SlotRequest(msgspec.Struct, frozen=True):
    """What a publisher's page sends with its request."""

    slot_key: int
    click_prefix: str | None = None
    embed_key: str | None = None  # `n`: ties an image to its link
    said: Said = NOTHING_SAID
    cards: int = CARDS_OF_IMAGE  # of an image; a still has one


class Served(msgspec.Struct):
    """A document for the slot's iframe; `domains` may frame it."""

    body: bytes
    content_security_policy: str
    domains: tuple[str, ...]
    filled: bool
    set_cookie: bytes | None = None


class ServedImage(msgspec.Struct):
    """What an image slot's frames show: draw them, then charge the token before the bytes are sent."""

    format: Format
    look: Look
    cards: list[Card]
    token: AdToken
    set_cookie: bytes | None


class Viewer(msgspec.Struct, frozen=True):
    """Who looks at a slot, as far as this request's consent lets us know.

    Without a `visitor_key` the profile holds what the cookie of their site counted, and is None where that
    may not be kept either.
    """

    consent: Consent
    visitor_key: int = 0
    profile: Profile | None = None


class Serve:
    """Answers slots."""

    def __init__(
        self,
        memory: Memory,
        stores: Stores,
        refresh: Refreshed,
        clock: Clock,
        chance: Chance,
        secrets: Secrets,
        policy: ServingPolicy,
    ) -> None:
        self._memory = memory
        self._snapshot = memory.snapshot
        self._counts = SlotCounts(memory)
        self._contenders = Contenders(memory.snapshot)
        self._house_rules = HouseRulesOf(memory.snapshot)
        self._catalogue = stores.catalogue
        self._profiles = stores.profiles
        self._ledger = stores.ledger
        self._writer = stores.writer
        self._refresh = refresh
        self._clock = clock
        self._mint_key = chance.mint_key
        self._dice = chance.dice
        self._secrets = secrets
        self._policy = policy
        self._looks = Looks()
        self._ready = Ready()
        self._houses: dict[tuple[str, OnEmpty], HouseDocument] = {}

    # ---- documents ----

    def document(self, ask: SlotRequest, caller: Caller) -> Served | None:
        """The slot's document; None where there is no such slot."""
        slot = self._slot(ask.slot_key)
        if slot is None:
            return None
        now_ms = self._clock()
        site = self._snapshot.sites[slot.site_key]
        answer, viewer = self._decide(slot, site, ask, on_site(caller, site.key), now_ms)
        if isinstance(answer, NoAd):
            served = self.house(slot)
        else:
            token = self._token(answer, slot, viewer.visitor_key, now_ms, caller)
            self._note(answer, token, now_ms)
            served = self._render(answer, token, slot, site, ask.click_prefix)
        served.set_cookie = self._site_cookie(answer, viewer, site, caller, now_ms)
        return served

    def _render(
        self, answer: Decision, token: AdToken, slot: Slot, site: Site, click_prefix: str | None
    ) -> Served:
        format_ = FORMATS[slot.format_name]
        creative = answer.creative
        look = still(self._look(answer), token.decided_at_ms)
        document = self._ready.document(look, format_)
        texts, fragments, lazy = [], [], creative.template == CAROUSEL  # beyond two cards, out of sight
        if creative.template == MESSAGE:
            fragments.append(self._ready.message(look, format_))
            texts.append(sign(token, self._secrets.tokens))
        for product in answer.products:
            card = card_of(product, token.decided_at_ms)
            fragments.append(self._ready.card(card, look, lazy=lazy and len(fragments) > 1))
            carried = msgspec.structs.replace(token, product_key=product.key)
            texts.append(sign(carried, self._secrets.tokens))
        prefix = allowed_prefix(click_prefix, site.click_prefixes)
        links = [self._link(f"/c?t={text}", prefix) for text in texts]
        beacons = Beacons(f"/i?t={texts[0]}", f"/v?t={texts[0]}", f"/why?t={texts[0]}")
        body = document.render(fragments, links, beacons, token.decided_at_ms)
        return Served(body, document.content_security_policy, site.domains, True)

    def _look(self, answer: Decision) -> Look:
        """The creative in the language of what it shows, with its words for the visitor's situation."""
        products, creative = answer.products, answer.creative
        language = products[0].language if products else creative.language
        return self._looks.look(creative, answer.situation, language)

    def _link(self, path: str, prefix: str | None) -> str:
        """A click's address, behind the publisher's click macro if there is one."""
        return path if prefix is None else prefix + quote(self._policy.base_url + path, safe="")

    def house(self, slot: Slot) -> Served:
        """What stands in the slot where there is no ad."""
        site = self._snapshot.sites[slot.site_key]
        key = (slot.format_name, slot.on_empty)
        house = self._houses.get(key)
        if house is None:
            house = self._houses[key] = house_document(FORMATS[slot.format_name], "en", slot.on_empty)
        return Served(house.body, house.content_security_policy, site.domains, False)

    def shed(self, slot_key: int) -> Slot | None:
        """A slot that is left without an ad since there are too many requests; counted, as far as known."""
        slot = self._snapshot.slots.get(slot_key)
        if slot is not None:
            self._counts.shed(slot)
        return slot

    # ---- images ----

    def image(self, ask: SlotRequest, caller: Caller) -> ServedImage | Slot | None:
        """What to draw for an image slot; the slot itself where only the house image may be shown.

        None where there is no such slot, or it is responsive: a picture has one size.
        """
        slot = self._slot(ask.slot_key)
        if slot is None or slot.is_responsive:
            return None
        now_ms = self._clock()
        site = self._snapshot.sites[slot.site_key]
        answer, viewer = self._decide(slot, site, ask, on_site(caller, site.key), now_ms, ask.cards)
        if isinstance(answer, NoAd):
            return slot
        token = self._token(answer, slot, viewer.visitor_key, now_ms, caller)
        if answer.products:
            token = msgspec.structs.replace(token, product_key=answer.products[0].key)
        self._note(answer, token, now_ms, image_key(ask, viewer.visitor_key) if ask.embed_key else 0)
        cards = [card_of(product, now_ms) for product in answer.products]
        look = still(self._look(answer), now_ms)
        set_cookie = self._site_cookie(answer, viewer, site, caller, now_ms)
        return ServedImage(FORMATS[slot.format_name], look, cards, token, set_cookie)

    def image_token(self, ask: SlotRequest, caller: Caller) -> str | None:
        """The token of the picture last shown under the embedder's key, to this visitor or to one unknown."""
        slot = self._slot(ask.slot_key)
        if slot is None:
            return None
        consent = self._consent(self._snapshot.sites[slot.site_key], ask, caller)
        keys = dict.fromkeys((_visitor(caller, consent), 0)) if consent.may_store else {}  # the house's
        texts = (self._ledger.image_token(image_key(ask, key)) for key in keys)
        return next(filter(None, texts), None)

    # ---- the decision ----

    def explain(self, ask: SlotRequest, caller: Caller) -> Decision | NoAd | None:
        """The decision a slot would get now, without serving it."""
        slot = self._slot(ask.slot_key)
        if slot is None:
            return None
        site = self._snapshot.sites[slot.site_key]
        consent = self._consent(site, ask, caller)
        return self._judge(slot, site, consent, on_site(caller, site.key), self._clock())[0]

    def _slot(self, slot_key: int) -> Slot | None:
        self._refresh()
        if slot_key not in self._snapshot.slots:
            self._refresh(missing=True)
        return self._snapshot.slots.get(slot_key)

    def _decide(
        self, slot: Slot, site: Site, ask: SlotRequest, caller: Caller, now_ms: int, image_cards: int = 0
    ) -> tuple[Decision | NoAd, Viewer]:
        """The answer, counted; and whom it was made for. An image shows at most `image_cards`."""
        consent = self._consent(site, ask, caller)
        answer: Decision | NoAd = NoAd({})
        viewer = Viewer(consent)
        if not self._memory.watch.shows(caller, now_ms):
            self._memory.tally.add(slot.key, "flooded")
        elif image_cards and ask.embed_key and not consent.may_store:
            self._memory.tally.add(slot.key, "untied")  # a key of each recipient's would name them
        else:
            answer, viewer = self._judge(slot, site, consent, caller, now_ms, image_cards)
        self._counts.answer(answer, slot, caller)
        self._counts.signs(consent, slot, site, caller, now_ms)
        return answer, viewer

    def _viewer(self, consent: Consent, caller: Caller) -> Viewer:
        visitor_key = _visitor(caller, consent)
        profile = self._profiles.profile(visitor_key) if visitor_key else None
        if profile is not None:
            return Viewer(consent, visitor_key, profile)
        return Viewer(consent, 0, profile_of(caller.seen_here) if consent.may_cap else None)

    def _judge(
        self, slot: Slot, site: Site, consent: Consent, caller: Caller, now_ms: int, image_cards: int = 0
    ) -> tuple[Decision | NoAd, Viewer]:
        is_person = caller.robot is None and not is_foreign(caller, site)
        if not is_person or not self._writer.records:
            return NoAd({}), Viewer(consent)
        viewer = self._viewer(consent, caller)
        shops = viewer.profile.shops if viewer.profile is not None else []
        candidates = self._candidates(shops, now_ms)
        cards = image_cards or FORMATS[slot.format_name].cards
        rules = self._house_rules.at(slot, site)
        products = self._products(shops, cards, now_ms, rules)
        request = Request(slot, cards, image_cards > 0, now_ms, caller.test, rules)
        members = self._snapshot.members
        return decide(request, viewer.profile, candidates, products, self._dice(), members), viewer

    def _consent(self, site: Site, ask: SlotRequest, caller: Caller) -> Consent:
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

    def _candidates(self, shops: Sequence[Shop], now_ms: int) -> list[Candidate | Together]:
        """Contextual campaigns, and those of shops this visitor knows; others are out of audience unseen."""
        line_ups = self._line_ups({shop.advertiser_key: shop for shop in shops})
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

    def _line_ups(self, shops: Mapping[int, Shop]) -> list[LineUp]:
        """Of the shops, and of the page: each campaign once."""
        line_ups = [self._contenders.of_shop(advertiser_key) for advertiser_key in shops]
        for_page = self._contenders.contextual()
        if not for_page.advertiser_keys.isdisjoint(shops):
            others = [one for one in for_page.contenders if one.campaign.advertiser_key not in shops]
            for_page = line_up_of(others)
        return [line_up for line_up in (*line_ups, for_page) if line_up.contenders]

    def _each(
        self, line_up: LineUp, under_way: Mapping[int, Micros], rates: Mapping[str, float], now_ms: int
    ) -> list[Candidate]:
        campaigns = [contender.campaign for contender in line_up.contenders]
        balances = self._memory.balances(campaigns, under_way, now_ms)
        audiences = self._snapshot.audiences
        return [
            Candidate(contender, balance, rates.get(contender.campaign.terms.currency), audiences)
            for contender, balance in zip(line_up.contenders, balances, strict=True)
        ]

    def _most_under_way(self, line_ups: Sequence[LineUp]) -> dict[int, Micros]:
        """By advertiser, no less than that of all its campaigns where they are judged together."""
        most: dict[int, Micros] = {}
        for line_up in line_ups:
            if line_up.joint is not None:
                keys = line_up.campaign_keys
                own = self._memory.unconfirmed.expected_of(keys, self._writer.most_under_way(keys))
                most[line_up.joint.advertiser_key] = Micros(sum(own.values()))
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
        currencies = frozenset[str]().union(*[line_up.currencies for line_up in line_ups])
        if len(currencies) == 1:
            return dict.fromkeys(currencies, 1.0)
        return self._policy.ranking_rates

    def _products(
        self, shops: Sequence[Shop], cards: int, now_ms: int, rules: HouseRules | None
    ) -> Mapping[int, Product]:
        """Each shop's first choices; more of its interests only where one of those cannot be bought now.

        Or where campaigns show only part of the catalogue, which the first choices may lie outside of.
        """
        shelf, read = self._snapshot.shelf, self._catalogue.products
        known = [
            (shop, line_up)
            for shop in shops
            if (line_up := self._contenders.of_shop(shop.advertiser_key)).contenders
        ]
        first = {shop.advertiser_key: first_choices(shop, cards, now_ms) for shop, _ in known}
        found = shelf.products(first, read)
        visible = found if rules is None else rules.visible(found)
        more = {
            shop.advertiser_key: all_choices(shop)
            for shop, line_up in known
            if line_up.has_sets or not is_settled(first[shop.advertiser_key], visible)
        }
        return {**found, **shelf.products(more, read)} if more else found

    # ---- what was served ----

    def _token(self, answer: Decision, slot: Slot, visitor_key: int, now_ms: int, caller: Caller) -> AdToken:
        campaign = answer.campaign
        return AdToken(
            impression_id=self._mint_key(),
            campaign_key=campaign.key,
            campaign_version=campaign.version,
            slot_key=slot.key,
            creative_key=answer.creative.key,
            product_key=0,
            visitor_key=visitor_key,
            decided_at_ms=now_ms,
            audience_key=answer.audience_key,
            test=caller.test,
        )

    def _site_cookie(
        self, answer: Decision | NoAd, viewer: Viewer, site: Site, caller: Caller, now_ms: int
    ) -> bytes | None:
        """Counts an ad with a cap for whoever has no profile; leaves where the visitor withdraws."""
        names, seen = names_for(caller.secure), on_site(caller, site.key).seen_here
        if viewer.consent.withdrawn and seen:
            return expire_site(names)
        without_profile = viewer.profile is not None and not viewer.visitor_key
        if isinstance(answer, NoAd) or answer.campaign.frequency_cap is None or not without_profile:
            return None
        known = map(self._snapshot.campaigns.get, {answer.campaign.key, *(key for key, _, _ in seen)})
        periods_ms = {one.key: PERIOD_MS[one.frequency_cap.per] for one in known if one and one.frequency_cap}
        seen = noted(seen, answer.campaign.key, now_ms, periods_ms)
        value = mint_site(seen, site.key, self._policy.cookie_keys)
        return set_site(value, seconds_needed(seen, now_ms, periods_ms), names)

    def _note(self, answer: Decision, token: AdToken, now_ms: int, image_key: int = 0) -> None:
        """The record of the decision joins the next batch; nobody waits for it, but it is expected to cost.

        Until the writer has it, and tells all workers, only this one knows.
        """
        price, chance = self._weight(answer, token, now_ms)
        write = RecordDecision(
            token.impression_id,
            now_ms,
            token.slot_key,
            token.campaign_key,
            token.creative_key,
            token.visitor_key,
            tuple(product.key for product in answer.products),
            image_key,
            sign(token, self._secrets.tokens) if image_key else "",
            price,
            chance,
        )
        noted = self._writer.submit(write)
        if price:
            unconfirmed, known = self._memory.unconfirmed, (token.campaign_key, token.impression_id)
            unconfirmed.add(*known, price, chance)
            noted.then(lambda outcome: unconfirmed.confirm(*known))

    def _weight(self, answer: Decision, token: AdToken, now_ms: int) -> tuple[Micros, float]:
        """What was served may cost so much, with such a chance; nothing where no budget can end."""
        terms = answer.campaign.terms
        if token.test or not self._memory.has_budget(answer.campaign, now_ms):
            return ZERO, 0.0
        rates = self._snapshot.rates.get(token.campaign_key, NO_FIGURES)
        chance = chance_of(BILLED_EVENT[terms.pricing_model], rates)
        return smallest_price(terms, answer.audience_key), chance


def _visitor(caller: Caller, consent: Consent) -> int:
    """The visitor's key where we may choose by it, else 0; what is not measured could not be billed."""
    return caller.visitor_key if consent.may_personalise and consent.may_measure else 0


def image_key(ask: SlotRequest, visitor_key: int) -> int:
    """What ties an image slot's picture to its link: the slot, the embedder's key and the visitor."""
    text = f"{ask.slot_key}:{ask.embed_key}:{visitor_key}".encode()
    return int.from_bytes(blake2b(text, digest_size=8, person=b"image").digest(), "big") >> 1
