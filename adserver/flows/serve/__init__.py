"""An ad goes out: snapshot and profile in, a document or picture with signed links out."""

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from adserver.domain.approval import live_version
from adserver.domain.caller import Caller, on_site
from adserver.domain.catalogue import card_of
from adserver.domain.click_prefix import allowed_prefix
from adserver.domain.contender import MESSAGE
from adserver.domain.decision import Decision, NoAd
from adserver.domain.experiment import HELD_OUT, SHOWN, Entry, holdout_entry, is_held_out
from adserver.domain.looks import Looks
from adserver.domain.memory import Memory
from adserver.domain.money import ZERO, Micros
from adserver.domain.offer import still
from adserver.domain.page import Answered
from adserver.domain.page_sheet import NEW, Promised, Sheet, answers_on, promised_to, seal, unsealed
from adserver.domain.pricing import BILLED_EVENT, smallest_price
from adserver.domain.sightings import noted, seconds_needed
from adserver.domain.slot import OnEmpty, Site, Slot
from adserver.domain.slot_counts import SlotCounts
from adserver.domain.token import AdToken, Secrets, sign, sign_each
from adserver.domain.visitor import was_at_slot
from adserver.domain.worth import chance_of
from adserver.flows.serve.asked import (
    CARDS_OF_IMAGE,
    Chance,
    Served,
    ServedImage,
    ServingPolicy,
    SlotRequest,
    image_key,
    stated_in,
)
from adserver.flows.serve.given import Given, promise_of, token_of_promise
from adserver.flows.serve.judge import Judge, Judged, Viewer, visitor_of
from adserver.ports import Clock, Refreshed, Stores
from adserver.writes import EnterExperiments, KeepDecisionSample, RecordDecision, RecordGhost, SeenAtSlot
from creatives.formats import FORMATS
from creatives.html import Beacons, HouseDocument, Look, house_document, with_sheet
from creatives.ready import Ready
from pixel.consent import Consent
from pixel.cookie import names_for
from pixel.site_cookie import expire_site, mint_site, set_site

CAROUSEL = "carousel"


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
        self._ledger = stores.ledger
        self._writer = stores.writer
        self._refresh = refresh
        self._clock = clock
        self._mint_key = chance.mint_key
        self._judge = Judge(memory, stores, refresh, clock, chance.dice, policy)
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
        if ask.sheet is not None:
            return self._document_of_page(ask, slot, caller, now_ms)
        return self._show(self.give(ask, slot, caller, now_ms), ask, slot, caller, now_ms)

    def _document_of_page(self, ask: SlotRequest, slot: Slot, caller: Caller, now_ms: int) -> Served:
        """The same as one of several: what was promised this slot, or what suits beside the others.

        Who does not ask for a promise is told the page's new sheet, on which stand the others that it names.
        """
        sheet, kept = self._sheet(ask, slot, caller, now_ms)
        given = kept or self.give(ask, slot, caller, now_ms, sheet)
        served = self._show(given, ask, slot, caller, now_ms)
        if kept is not None:  # its ad was counted where it was promised
            served.set_cookie = None
        if not ask.place:
            before, sheet = len(sheet), (*sheet, promise_of(given, slot, now_ms))
            sheet = self._promised(ask, slot, caller, now_ms, sheet)
            served.body = with_sheet(served.body, seal(sheet, self._secrets.tokens))
            shown = [one.creative_key for one in sheet[before:] if one.campaign_key]
            site = self._snapshot.sites[slot.site_key]
            served.set_cookie = self._site_cookie(shown, given.viewer, site, caller, now_ms)
        return served

    def _sheet(self, ask: SlotRequest, slot: Slot, caller: Caller, now_ms: int) -> tuple[Sheet, Given | None]:
        """What stands beside the slot, and what was promised to it, if that can be kept."""
        if ask.sheet == NEW:
            return (), None
        site = self._snapshot.sites[slot.site_key]
        viewer = self._judge.viewer(self._judge.consent(site, ask, caller), on_site(caller, site.key))
        sheet = unsealed(ask.sheet or NEW, self._secrets.tokens, viewer.visitor_key, now_ms)
        promised = promised_to(sheet, ask.place, slot.key, now_ms)
        given = None if promised is None else self._kept(promised, viewer)
        return tuple(one for one in sheet if one is not promised), given

    def _promised(self, ask: SlotRequest, slot: Slot, caller: Caller, now_ms: int, sheet: Sheet) -> Sheet:
        """The sheet, and on it what the page's other slots will show; of another site's, nothing is said."""
        for key in ask.others:
            other = self._snapshot.slots.get(key)
            if other is None or other.site_key != slot.site_key:
                sheet = (*sheet, Promised(0, now_ms))
            else:
                given = self.give(ask, other, caller, now_ms, sheet)
                sheet = (*sheet, promise_of(given, other, now_ms))
        return sheet

    def _kept(self, promised: Promised, viewer: Viewer) -> Given | None:
        """What was promised, as it was; None where it cannot be shown any more."""
        if not promised.campaign_key:
            return Given(NoAd({}), viewer)
        snapshot = self._snapshot
        campaign = snapshot.campaigns.get(promised.campaign_key)
        if campaign is None or campaign.version != promised.campaign_version:
            return None
        live = map(live_version, snapshot.creatives_of(campaign.key))
        creative = next((one for one in live if one and one.key == promised.creative_key), None)
        found = self._judge.products({campaign.advertiser_key: promised.product_keys})
        products = tuple(found[key] for key in promised.product_keys if key in found and found[key].in_stock)
        if creative is None or len(products) < len(promised.product_keys):
            return None
        because = dict(zip(promised.product_keys, promised.because, strict=False))
        answer = Decision(
            campaign, creative, products, 0.0, {}, promised.audience_key, (), promised.situation, because
        )
        return Given(answer, viewer, token_of_promise(promised))

    def give(self, ask: SlotRequest, slot: Slot, caller: Caller, now_ms: int, sheet: Sheet = ()) -> Given:
        """The slot's answer, counted and noted, beside what the page's others were answered."""
        site = self._snapshot.sites[slot.site_key]
        answers = answers_on(sheet) if sheet else ()
        judged = self._decide(slot, site, ask, on_site(caller, site.key), now_ms, 0, answers)
        answer, viewer = judged.answer, judged.viewer
        token = None
        if isinstance(answer, Decision):
            token = self._token(answer, slot, viewer.visitor_key, now_ms, caller)
            self._note(answer, token, caller, now_ms)
        if judged.sample:
            self._keep_sample(judged, slot, now_ms, token.impression_id if token is not None else 0)
        return Given(answer, viewer, token)

    def _show(self, given: Given, ask: SlotRequest, slot: Slot, caller: Caller, now_ms: int) -> Served:
        site, answer = self._snapshot.sites[slot.site_key], given.answer
        if isinstance(answer, NoAd) or given.token is None:
            served = self.house(slot)
        else:
            served = self._render(answer, given.token, slot, site, ask.click_prefix)
        shown = [answer.creative.key] if isinstance(answer, Decision) else []
        served.set_cookie = self._site_cookie(shown, given.viewer, site, caller, now_ms)
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
        carried = [(product.key, answer.because_of(product)) for product in answer.products]
        texts += sign_each(token, carried, self._secrets.tokens)
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
        judged = self._decide(slot, site, ask, on_site(caller, site.key), now_ms, ask.cards)
        answer, viewer = judged.answer, judged.viewer
        if isinstance(answer, NoAd):
            if judged.sample:
                self._keep_sample(judged, slot, now_ms)
            return slot
        token = self._token(answer, slot, viewer.visitor_key, now_ms, caller)
        if judged.sample:
            self._keep_sample(judged, slot, now_ms, token.impression_id)
        if answer.products:
            first = answer.products[0]
            because = answer.because_of(first)
            token = msgspec.structs.replace(token, product_key=first.key, because=because)
        tied = image_key(ask, viewer.visitor_key) if ask.embed_key else 0
        self._note(answer, token, caller, now_ms, tied)
        cards = [card_of(product, now_ms) for product in answer.products]
        look = still(self._look(answer), now_ms)
        set_cookie = self._site_cookie([answer.creative.key], viewer, site, caller, now_ms)
        return ServedImage(FORMATS[slot.format_name], look, cards, token, set_cookie)

    def image_token(self, ask: SlotRequest, caller: Caller) -> str | None:
        """The token of the picture last shown under the embedder's key, to this visitor or to one unknown."""
        slot = self._slot(ask.slot_key)
        if slot is None:
            return None
        consent = self._judge.consent(self._snapshot.sites[slot.site_key], ask, caller)
        keys = dict.fromkeys((visitor_of(caller, consent), 0)) if consent.may_store else {}  # the house's
        texts = (self._ledger.image_token(image_key(ask, key)) for key in keys)
        return next(filter(None, texts), None)

    # ---- the decision ----

    def explain(self, ask: SlotRequest, caller: Caller) -> Decision | NoAd | None:
        """The decision a slot would get now, without serving it."""
        slot = self._slot(ask.slot_key)
        if slot is None:
            return None
        site = self._snapshot.sites[slot.site_key]
        consent = self._judge.consent(site, ask, caller)
        here, now_ms = on_site(caller, site.key), self._clock()
        return self._judge.judge(slot, site, consent, here, now_ms, stated_in(ask)).answer

    def _slot(self, slot_key: int) -> Slot | None:
        self._refresh()
        if slot_key not in self._snapshot.slots:
            self._refresh(missing=True)
        return self._snapshot.slots.get(slot_key)

    def _decide(
        self,
        slot: Slot,
        site: Site,
        ask: SlotRequest,
        caller: Caller,
        now_ms: int,
        image_cards: int = 0,
        answers: tuple[Answered, ...] = (),
    ) -> Judged:
        """The answer, counted. An image shows at most `image_cards`."""
        consent = self._judge.consent(site, ask, caller)
        if not self._memory.watch.shows(caller, now_ms):
            judged = self._unjudged(consent, slot, "flooded")
        elif image_cards and ask.embed_key and not consent.may_store:
            judged = self._unjudged(consent, slot, "untied")  # a key of each recipient's would name them
        else:
            stated = stated_in(ask, image_cards, answers)
            judged = self._judge.judge(slot, site, consent, caller, now_ms, stated)
            self._note_ghosts(judged.answer, slot, judged.viewer, now_ms)
            self._enter(judged.answer, judged.viewer, now_ms)
        self._see(judged.viewer, caller, now_ms)
        self._counts.answer(judged.answer, slot, caller)
        self._counts.signs(consent, slot, site, caller, now_ms)
        return judged

    def _unjudged(self, consent: Consent, slot: Slot, why: str) -> Judged:
        self._memory.tally.add(slot.key, why)
        return Judged(NoAd({}), Viewer(consent))

    def _see(self, viewer: Viewer, caller: Caller, now_ms: int) -> None:
        """Once a day the visitor's being here is noted, with the next batch: so many may be reached."""
        profile = viewer.profile
        if viewer.visitor_key and profile is not None and not (caller.test or was_at_slot(profile, now_ms)):
            self._writer.submit(SeenAtSlot(viewer.visitor_key, now_ms))

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
        self, shown: Sequence[int], viewer: Viewer, site: Site, caller: Caller, now_ms: int
    ) -> bytes | None:
        """Counts ads, by their creatives, for whoever has no profile; leaves where the visitor withdraws."""
        if viewer.visitor_key and not viewer.consent.withdrawn:  # most: what they saw is in their profile
            return None
        names, seen = names_for(caller.secure), on_site(caller, site.key).seen_here
        if viewer.consent.withdrawn and seen:
            return expire_site(names)
        without_profile = viewer.profile is not None and not viewer.visitor_key
        if not shown or not without_profile:
            return None
        periods_ms = {key: self._snapshot.counted_for_ms(key) for key in (*shown, *(one[0] for one in seen))}
        for creative_key in shown:
            seen = noted(seen, creative_key, now_ms, periods_ms)
        value = mint_site(seen, site.key, self._policy.cookie_keys)
        return set_site(value, seconds_needed(seen, now_ms, periods_ms), names)

    def _note(
        self, answer: Decision, token: AdToken, caller: Caller, now_ms: int, image_key: int = 0
    ) -> None:
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
            tuple([product.key for product in answer.products]),
            image_key,
            sign(token, self._secrets.tokens) if image_key else "",
            price,
            chance,
            answer.campaign.advertiser_key,
            answer.campaign.terms.currency,
            () if token.test else (self._entry(answer, SHOWN),),
            answer.propensity,
            token.audience_key,
            "" if caller.place is None else caller.place.country,
            caller.device or "",
            token.test,
        )
        noted = self._writer.submit(write)
        if price:
            unconfirmed, owner_key = self._memory.unconfirmed, answer.campaign.advertiser_key
            known = (token.campaign_key, token.impression_id)
            unconfirmed.add(*known, price, chance, owner_key)
            noted.then(lambda outcome: unconfirmed.confirm(*known, owner_key))

    def _entry(self, answer: Decision, arm: int) -> Entry:
        """That an ad of its advertiser won puts the visitor in the advertiser's own comparison."""
        return holdout_entry(self._snapshot.advertisers[answer.campaign.advertiser_key], arm)

    def _note_ghosts(self, answer: Decision | NoAd, slot: Slot, viewer: Viewer, now_ms: int) -> None:
        """What was held out is counted as shown, at the moment of the decision: it never begins to render."""
        for ghost in answer.ghosts:
            campaign = ghost.campaign
            write = RecordGhost(
                self._mint_key(),
                now_ms,
                slot.key,
                campaign.advertiser_key,
                campaign.key,
                campaign.version,
                ghost.creative.key,
                viewer.visitor_key,
                ghost.audience_key,
                campaign.terms.currency,
                (self._entry(ghost, HELD_OUT),),
            )
            self._writer.submit(write)

    def _enter(self, answer: Decision | NoAd, viewer: Viewer, now_ms: int) -> None:
        """Who is in arms of experiments by this request, whatever came of it, but for who is held out."""
        for entry in answer.entries:
            campaign = self._snapshot.campaigns[entry.campaign_key]
            owner, currency = campaign.advertiser_key, campaign.terms.currency
            if not is_held_out(viewer.visitor_key, self._snapshot.advertisers[owner]):
                self._writer.submit(EnterExperiments(viewer.visitor_key, owner, currency, now_ms, (entry,)))

    def _keep_sample(self, judged: Judged, slot: Slot, now_ms: int, impression_id: int = 0) -> None:
        """For a replay: the next batch takes it, and nobody waits."""
        key, visitor_key = impression_id or self._mint_key(), judged.viewer.visitor_key
        self._writer.submit(KeepDecisionSample(key, now_ms, slot.key, visitor_key, judged.sample))

    def _weight(self, answer: Decision, token: AdToken, now_ms: int) -> tuple[Micros, float]:
        """What was served may cost so much, with such a chance; nothing where no budget can end."""
        terms = answer.campaign.terms
        if token.test or not self._memory.has_budget(answer.campaign, now_ms):
            return ZERO, 0.0
        chance = chance_of(BILLED_EVENT[terms.pricing_model], answer.rates)
        return smallest_price(terms, answer.audience_key), chance


__all__ = [
    "CARDS_OF_IMAGE",
    "Chance",
    "Serve",
    "Served",
    "ServedImage",
    "ServingPolicy",
    "SlotRequest",
    "image_key",
]
