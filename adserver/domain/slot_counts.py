"""What is counted of a slot's answers: fills, every no by its name, and how browsers are known."""

from collections.abc import Mapping

import msgspec

from adserver.domain.caller import Caller, is_from
from adserver.domain.campaign import Tier
from adserver.domain.decision import Decision, NoAd
from adserver.domain.eligibility import Refusal
from adserver.domain.memory import Memory
from adserver.domain.pricing import CONTEXTUAL
from adserver.domain.recognition import Side, count_request, kind_in_slot
from adserver.domain.slot import Site, Slot
from pixel.consent import Consent


class _Names(msgspec.Struct, frozen=True):
    """Under which an answer is counted."""

    requests: str
    fills: str
    empty: str
    contextual_fills: str
    of_tiers: Mapping[Tier, str]
    refused: Mapping[Refusal, str]


def _names(apart: str) -> _Names:
    return _Names(
        f"requests{apart}",
        f"fills{apart}",
        f"empty{apart}",
        f"contextual_fills{apart}",
        {tier: f"{tier}_fills{apart}" for tier in Tier},
        {refusal: f"refused_{refusal}{apart}" for refusal in Refusal},
    )


_NAMES, _NAMES_TEST, _STANDARD = _names(""), _names("_test"), Tier.STANDARD


class SlotCounts:
    """Counts in the worker's memory; a test visitor's requests apart, so that they weigh on nothing."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._tally = memory.tally

    def shed(self, slot: Slot) -> None:
        """A slot that is left without an ad since there are too many requests."""
        for name in ("requests", "empty", "shed_slot"):
            self._tally.add(slot.key, name)

    def answer(self, answer: Decision | NoAd, slot: Slot, caller: Caller) -> None:
        """Requests and fills, every no by its name, and the traffic that pacing forecasts from."""
        tally, names = self._tally, _NAMES_TEST if caller.test else _NAMES
        tally.add(slot.key, names.requests)
        if isinstance(answer, Decision):
            refused = answer.judged
            tally.add(slot.key, names.fills)
            self._count_fill(answer, slot, names)
        else:
            refused = answer.refusals
            tally.add(slot.key, names.empty)
        if refused:
            tally.add_each(refused, map(names.refused.__getitem__, refused.values()))

    def _count_fill(self, answer: Decision, slot: Slot, names: "_Names") -> None:
        tally, campaign = self._tally, answer.campaign
        tally.add(campaign.key, names.fills)
        self._count_outbid(answer, names.refused)
        if answer.audience_key == CONTEXTUAL:
            for owner_key in (campaign.key, slot.key):
                tally.add(owner_key, names.contextual_fills)
        if campaign.tier is not _STANDARD:
            tally.add(slot.key, names.of_tiers[campaign.tier])

    def _count_outbid(self, answer: Decision, names: Mapping[Refusal, str]) -> None:
        """All of a line-up at once, less the winner."""
        tally = self._tally
        for line_up in answer.outbid:
            name = names[answer.beaten(line_up)]
            tally.add_to_all(line_up.campaign_keys, name)
            if answer.campaign.key in line_up.campaign_keys:
                tally.add(answer.campaign.key, name, -1)

    def signs(self, consent: Consent, slot: Slot, site: Site, caller: Caller, now_ms: int) -> None:
        """How the browser was known, and what it was that it was not chosen for."""
        tally = self._tally
        if caller.visitor_key and not consent.may_personalise:
            tally.add(slot.key, f"consent_{consent.basis}")
        if caller.site_cookie_flaw:
            tally.add(slot.key, f"site_cookie_{caller.site_cookie_flaw}")
        if is_foreign(caller, site):
            tally.add(slot.key, "foreign")  # its code stands where its publisher has named no domain
        elif caller.robot is None:
            kind = kind_in_slot(caller, consent, bool(caller.seen_here))
            count_request(tally, Side.SLOT, kind, caller, slot.key, site.publisher_key)
            self._memory.count_answer(site.key, caller, consent.basis, now_ms)


def is_foreign(caller: Caller, site: Site) -> bool:
    """Whether the request comes from a page that is not the site's."""
    return caller.origin is not None and not is_from(caller.origin, site.domains)
