"""How long what is held of visitors is kept, and what of it is to be let go by now."""

from bisect import bisect_right
from functools import lru_cache

import msgspec

from adserver.domain.audit_log import AUDIT_RETENTION_DAYS
from adserver.domain.visitor import (
    BOUGHT,
    DAY_MS,
    DOING_RETENTION_MS,
    FORM_RETENTION_MS,
    FORMS,
    INTEREST_RETENTION_MS,
    PURCHASE_RETENTION_MS,
    REACTION_OF,
    TOUCH_RETENTION_MS,
    Profile,
    Shop,
    Shown,
    doings_since,
)

# These hold no visitor, or no more than a digest of one; nobody has asked to choose their times.
NOTICE_RETENTION_MS = 35 * DAY_MS  # of what was delivered, or given up
COUNT_RETENTION_MS = 400 * DAY_MS  # a year, and the month it is compared with
REFUSED_RETENTION_MS = COUNT_RETENTION_MS  # a statement names them: asked for again, it says the same
REPORT_PART_RETENTION_MS = 91 * DAY_MS  # of quarters of an hour; reports of days stay, as the ledger does
SAMPLE_RETENTION_MS = 30 * DAY_MS  # of items that pages named, whoever looked at them
ERASURE_RETENTION_MS = 5 * 365 * DAY_MS
CONSENT_PROOF_RETENTION_DAYS = 1_826  # five years, in which a claim may be made


class Retention(msgspec.Struct, frozen=True):
    """The operator's times; the longest that the rules of a profile know are their defaults."""

    views_ms: int = INTEREST_RETENTION_MS
    purchases_ms: int = PURCHASE_RETENTION_MS
    forms_ms: int = FORM_RETENTION_MS
    ads_ms: int = TOUCH_RETENTION_MS
    consent_proofs_ms: int = CONSENT_PROOF_RETENTION_DAYS * DAY_MS  # after what they prove has ended
    audit_log_ms: int = AUDIT_RETENTION_DAYS * DAY_MS

    def of_event(self, name: str) -> int:
        """Orders and leads as purchases, forms that were only begun or sent as forms, all else as views."""
        if name in REACTION_OF.values():
            return self.ads_ms
        if name in BOUGHT:
            return self.purchases_ms
        return self.forms_ms if name in FORMS else self.views_ms

    @property
    def longest_ms(self) -> int:
        """A visitor who was not seen for so long is let go as a whole."""
        return max(self.views_ms, self.purchases_ms, self.forms_ms, self.ads_ms)


@lru_cache(maxsize=8)
def _kept_ms(retention: Retention) -> dict[str, int]:
    """By kind, how long what a shop's doings are of is kept; asked for with each write of a profile."""
    return {kind: retention.of_event(kind) for kind in DOING_RETENTION_MS}


def let_go(profile: Profile, retention: Retention, now_ms: int) -> None:
    """Drop from a profile, in place, whatever has been kept for as long as it may be."""
    for shop in profile.shops:
        _let_go_at(shop, retention, now_ms)
    profile.shops = [shop for shop in profile.shops if _says_something(shop)]
    oldest_ms = now_ms - retention.ads_ms
    profile.touches = [touch for touch in profile.touches if touch.at_ms > oldest_ms]
    profile.shown = [newer for shown in profile.shown if (newer := _without_old(shown, oldest_ms)).at_ms]
    if _slot_day_ended_ms(profile) <= oldest_ms:
        profile.slot_day = 0


def _without_old(shown: Shown, oldest_ms: int) -> Shown:
    """Its times are in order, its creatives beside them."""
    left = len(shown.at_ms) - bisect_right(shown.at_ms, oldest_ms)
    clicked_ms = shown.clicked_ms if shown.clicked_ms > oldest_ms else 0
    times, creatives = shown.at_ms[-left:] if left else [], shown.creative_keys[-left:] if left else []
    return Shown(shown.campaign_key, times, shown.advertiser_key, creatives, clicked_ms)


def _let_go_at(shop: Shop, retention: Retention, now_ms: int) -> None:
    shop.interests = [one for one in shop.interests if one.at_ms > now_ms - retention.views_ms]
    shop.purchases = [one for one in shop.purchases if one.at_ms > now_ms - retention.purchases_ms]
    if shop.form_started_ms <= now_ms - retention.forms_ms:
        shop.form_started_ms = 0
    if shop.form_submitted_ms <= now_ms - retention.forms_ms:
        shop.form_submitted_ms = 0
    known = shop.last_event_ms.items()
    shop.last_event_ms = {name: ms for name, ms in known if ms > now_ms - retention.of_event(name)}
    shop.doings = doings_since(shop, lambda kind: now_ms - retention.of_event(kind))


def _says_something(shop: Shop) -> bool:
    """Whether anything is left of what was done or wished there."""
    wished = shop.unwanted or shop.blocked_at_ms
    did = shop.interests or shop.purchases or shop.form_started_ms or shop.form_submitted_ms
    return bool(wished or did or shop.last_event_ms)


def due_ms(profile: Profile, retention: Retention, seen_ms: int) -> int:
    """When something of a profile is next to be let go; at the latest all of it, unseen for so long."""
    kept_ms = _kept_ms(retention)
    dues = [seen_ms + retention.longest_ms]
    for shop in profile.shops:
        _add_dues(dues, shop, retention, kept_ms)
    seen = [touch.at_ms for touch in profile.touches]
    for shown in profile.shown:
        seen.append(shown.at_ms[0])
        if shown.clicked_ms:
            seen.append(shown.clicked_ms)
    if profile.slot_day:
        seen.append(_slot_day_ended_ms(profile))
    if seen:
        dues.append(min(seen) + retention.ads_ms)
    return min(dues)


def _slot_day_ended_ms(profile: Profile) -> int:
    """Of the day on which it was last at a slot nobody knows the hour: the whole of it is kept as long."""
    return (profile.slot_day + 1) * DAY_MS


def _add_dues(dues: list[int], shop: Shop, retention: Retention, kept_ms: dict[str, int]) -> None:
    if shop.interests:
        dues.append(min([one.at_ms for one in shop.interests]) + retention.views_ms)
    if shop.purchases:
        dues.append(min([one.at_ms for one in shop.purchases]) + retention.purchases_ms)
    if shop.form_started_ms:
        dues.append(shop.form_started_ms + retention.forms_ms)
    if shop.form_submitted_ms:
        dues.append(shop.form_submitted_ms + retention.forms_ms)
    for name, ms in shop.last_event_ms.items():
        dues.append(ms + kept_ms[name])
    for kind, doings in shop.doings.items():
        dues.append(doings.oldest_ms + kept_ms[kind])
