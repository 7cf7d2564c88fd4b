"""The story of one browser: each thing the server heard, decided and charged, newest first."""

from collections import OrderedDict, deque
from typing import Any

import msgspec

from adserver.demo.catalogue import PAPER_NAME
from adserver.demo.server import DemoServer
from adserver.demo.words import (
    BECAUSE,
    CHARGES,
    EVENTS,
    FORM_LEFT,
    MODELS,
    NOT_KNOWN,
    OUTBID,
    REASONS,
    REFUSALS,
    REJECTIONS,
    money,
)
from adserver.domain.caller import Caller
from adserver.domain.campaign import Campaign
from adserver.domain.decision import Decision, NoAd
from adserver.domain.eligibility import Refusal
from adserver.domain.identity import product_key, write_id
from adserver.domain.money import basis_points_of
from adserver.domain.pricing import AdEvent, PricingModel, Terms, price_of
from adserver.domain.rates import Rates
from adserver.domain.refusal_words import words_of
from adserver.domain.slot import Slot
from adserver.domain.token import AdToken, verify
from adserver.domain.visitor import Level
from adserver.domain.worth import ecpm_micros
from pixel.events import Event, Rejection
from pixel.parse import Hit

MOST_VISITORS = 500
MOST_STEPS = 120
STRANGER = 0  # whoever sends no cookie of ours


class Step(msgspec.Struct):
    """One thing that happened, as the story tells it."""

    at_ms: int
    kind: str  # event, cookie, decision, empty, charge, remark
    title: str
    lines: list[str] = []
    refused: list[tuple[str, str]] = []  # campaigns, and why each was not chosen
    wire: str = ""  # what went over the wire
    number: int = 0
    quiet: bool = False  # told by the whole story only: nobody did it, and it changed nothing


class Place(msgspec.Struct):
    """What stands in a slot now, for the caption beneath it."""

    campaign: str
    pays: str
    shows: str
    why: str
    at_ms: int
    test: bool = False


class Story:
    """Keeps the latest steps of each browser in memory; what counts is in the ledger."""

    def __init__(self, server: DemoServer) -> None:
        self._server = server
        self.cookies_given = 0
        self._orders: set[tuple[str, str]] = set()
        self._steps: OrderedDict[int, deque[Step]] = OrderedDict()
        self._places: OrderedDict[int, dict[str, Place]] = OrderedDict()
        self._number = 0
        self._token_keys = server.token_keys()

    def steps(self, visitor_key: int) -> list[Step]:
        return list(reversed(self._steps.get(visitor_key, ())))

    def places(self, visitor_key: int) -> dict[str, Place]:
        return self._places.get(visitor_key, {})

    def forget(self, visitor_key: int) -> None:
        self._steps.pop(visitor_key, None)
        self._places.pop(visitor_key, None)

    def _tell(self, visitor_key: int, step: Step) -> None:
        self._number += 1
        step.number = self._number
        kept = self._steps.setdefault(visitor_key, deque(maxlen=MOST_STEPS))
        self._steps.move_to_end(visitor_key)
        kept.append(step)
        while len(self._steps) > MOST_VISITORS:
            self._steps.popitem(last=False)

    # ---- the pixel ----

    def heard_hit(self, visitor_key: int, hit: Hit | Rejection, wire: str, said: str, at_ms: int) -> None:
        """The tag spoke; `said` is what the server answered of it (X-Event)."""
        if isinstance(hit, Rejection) or not hit.events:
            why = REJECTIONS.get(hit, hit.value) if isinstance(hit, Rejection) else said
            self._tell(
                visitor_key, self._step("remark", "The tag sent something that was refused", [why], wire)
            )
            return
        for event in hit.events:
            step = self._event_step(hit.merchant, event, wire, said)
            step.at_ms = at_ms
            self._tell(visitor_key, step)

    def _event_step(self, merchant: str, event: Event, wire: str, said: str) -> Step:
        snapshot = self._server.memory.snapshot
        advertiser_key = snapshot.advertiser_keys.get(merchant, 0)
        who = snapshot.advertisers[advertiser_key].name if advertiser_key else "Somebody"
        names = ", ".join(self._titles(advertiser_key, [item.item_id for item in event.items]))
        title = f"{who}: you {EVENTS.get(event.name, event.name)} {names}".rstrip()
        lines = []
        if event.value_micros is not None:
            lines.append(f"worth {money(event.value_micros, event.currency or 'EUR')}")
        if event.order_id is not None:
            if (merchant, event.order_id) in self._orders:
                lines.insert(0, "with the same order id as before: credited once only")
            self._orders.add((merchant, event.order_id))
        if event.click_id:
            lines.append("with the click id of the ad that brought you here (rtclid)")
        if said in set(Rejection):
            return self._step("remark", title, [f"Refused: {REJECTIONS.get(Rejection(said), said)}."], wire)
        if said == "duplicate":
            lines.append("the same event came twice: it was counted once")
        return self._step("event", title, lines, wire)

    def heard_cookie(self, visitor_key: int, cookie: str, at_ms: int) -> None:
        self.cookies_given += 1
        name, _, rest = cookie.partition("=")
        value, _, attributes = rest.partition(";")
        shown = f"{name}={value[:12]}…;{attributes}" if value else cookie
        lines = ["128 random bits and a signature: nothing about you is in it."]
        self._tell(visitor_key, self._step("cookie", "Your browser was given a cookie", lines, shown, at_ms))

    # ---- slots ----

    def heard_decision(self, slot: Slot, caller: Caller, answer: Decision | NoAd) -> None:
        """A slot asked; told before the answer is sent."""
        refused = [self._refused(key, no, answer) for key, no in answer.refusals.items()]
        if isinstance(answer, NoAd):
            line = "" if refused else NOT_KNOWN[caller.opted_out]
            title = f"{PAPER_NAME}, {slot.format_name}: no ad of ours"
            step = self._step("empty", title, [line] if line else [])
            self._places.setdefault(caller.visitor_key, {})[write_id("slot", slot.key)] = Place(
                "No ad",
                "nobody pays",
                "the house picture",
                line or "Every campaign said no.",
                self._server.clock(),
            )
        else:
            place = self._place(answer, caller)
            title = f"{PAPER_NAME}, {slot.format_name}: “{place.campaign}” with {place.shows}"
            step = self._step("decision", title, [place.why, place.pays])
            self._places.setdefault(caller.visitor_key, {})[write_id("slot", slot.key)] = place
        step.refused = refused
        self._tell(caller.visitor_key, step)
        while len(self._places) > MOST_VISITORS:
            self._places.popitem(last=False)

    def _refused(self, campaign_key: int, refusal: Refusal, answer: Decision | NoAd) -> tuple[str, str]:
        campaign = self._server.memory.snapshot.campaigns[campaign_key]
        words = REFUSALS.get(refusal) or words_of(refusal).says
        if refusal is Refusal.OUTRANKED and isinstance(answer, Decision):
            worth = ecpm_micros(campaign, Rates())
            words = OUTBID if worth < answer.ecpm_micros else words
        return f"{campaign.name} ({campaign.terms.pricing_model.upper()})", words

    def _because(self, answer: Decision, visitor_key: int) -> str:
        """What the visitor did with the first product shown: it is first for that."""
        profile = self._server.storage.profiles.profile(visitor_key)
        shop = profile.shop(answer.campaign.advertiser_key) if profile else None
        first = answer.products[0].key
        levels = [one.level for one in shop.interests if one.product_key == first] if shop else []
        return BECAUSE[levels[0]] if levels else BECAUSE[Level.VIEWED]

    def _place(self, answer: Decision, caller: Caller) -> Place:
        campaign = answer.campaign
        shows = ", ".join(product.title for product in answer.products) or "the service's own words"
        why = self._because(answer, caller.visitor_key) if answer.products else FORM_LEFT
        level = sum(no is Refusal.OUTRANKED for no in answer.refusals.values())
        turn = f" {level} more would earn as much: they take turns." if level else ""
        why = f"Chosen because {why}.{turn}"
        return Place(campaign.name, pays_for(campaign), shows, why, self._server.clock(), caller.test)

    # ---- money ----

    def heard_charge(self, event: AdEvent, text: str, said: str) -> int | None:
        """A beacon or click with a token; answers whose ad it was, None for a token that is not ours."""
        token = verify(text, self._token_keys)
        if token is None:
            return None
        campaign = self._server.memory.snapshot.campaigns[token.campaign_key]
        terms = (
            self._server.memory.snapshot.terms(token.campaign_key, token.campaign_version) or campaign.terms
        )
        what = {
            AdEvent.IMPRESSION: "An ad began to show",
            AdEvent.VIEWABLE_IMPRESSION: "An ad was seen: half of it, for a second",
            AdEvent.CLICK: "You clicked an ad",
        }[event]
        title = f"{what}: “{campaign.name}” ({terms.pricing_model.upper()})"
        step = self._charge_step(event, token, terms, title, said)
        step.quiet = step.kind == "remark" and event is not AdEvent.CLICK
        self._tell(token.visitor_key, step)
        return token.visitor_key

    def _charge_step(self, event: AdEvent, token: AdToken, terms: Terms, title: str, said: str) -> Step:
        amount = price_of(event, terms, audience_key=token.audience_key)
        if said == "taken":
            share = money(basis_points_of(amount, self._share_bps(token.slot_key)))
            lines = [f"{money(amount)} charged to the advertiser; {share} of it is the publisher's."]
            return self._step("charge", title, lines)
        if token.test:
            return self._step("remark", title, ["You are a test visitor: nothing is billed."])
        if said == "not_billable":
            return self._step("remark", title, [f"Costs nothing: this campaign {pays(terms)}."])
        return self._step("remark", title, [f"{CHARGES.get(said, said)}."])

    def _share_bps(self, slot_key: int) -> int:
        snapshot = self._server.memory.snapshot
        site = snapshot.sites[snapshot.slots[slot_key].site_key]
        return snapshot.publishers[site.publisher_key].revenue_share_bps

    def conversions(self, rows: list[dict[str, Any]]) -> list[Step]:
        """Orders and leads of this visitor, as the ledger settled them."""
        return [self._conversion_step(row) for row in rows]

    def _conversion_step(self, row: dict[str, Any]) -> Step:
        what = "Your order" if row["event"] == "purchase" else "Your request for a quote"
        campaign = self._server.memory.snapshot.campaigns.get(row["campaign_key"])
        kind, title = (
            "remark",
            f"{what} was credited to “{campaign.name}”" if campaign else f"{what} is stored",
        )
        said = CHARGES.get(row["state"], row["state"])
        why = REASONS.get(row["reason"], row["reason"])
        line = f"{said}{f': {why}' if why else ''}."
        if campaign is not None and row["amount_micros"]:
            kind, line = "charge", f"{money(row['amount_micros'])} charged: it was the last ad you clicked."
        elif campaign is not None and row["state"] == "not_billable":
            line = f"Costs nothing more: this campaign {pays(campaign.terms)}."
        return self._step(kind, title, [line], at_ms=row["arrived_at_ms"] + 1)

    def _step(self, kind: str, title: str, lines: list[str], wire: str = "", at_ms: int = 0) -> Step:
        return Step(at_ms or self._server.clock(), kind, title, lines, wire=wire)

    def _titles(self, advertiser_key: int, item_ids: list[str]) -> list[str]:
        keys = {product_key(advertiser_key, item_id): item_id for item_id in item_ids}
        known = self._server.storage.catalogue.products(keys)
        return [known[key].title if key in known else item_id for key, item_id in keys.items()]


def pays(terms: Terms) -> str:
    model = "per quote" if terms.conversion_event.value == "generate_lead" else "per sale"
    return f"pays {model if terms.pricing_model is PricingModel.CPA else MODELS[terms.pricing_model]}"


def pays_for(campaign: Campaign) -> str:
    return f"This campaign {pays(campaign.terms)}: {money(campaign.terms.rate_micros)}."
