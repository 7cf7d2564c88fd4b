"""Audiences: rules over what visitors did at an advertiser's, and which of them sets a visitor's rate."""

from collections.abc import Mapping

import msgspec

from adserver.domain.pricing import Terms, rate_named
from adserver.domain.retention import Retention
from adserver.domain.visitor import DAY_MS, Profile
from pixel.events import EventName


class Rule(msgspec.Struct, frozen=True):
    """That a kind of event came within so many days."""

    event: EventName
    retention_days: int


class Audience(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Visitors of an advertiser to whom any of `inclusions` applies, and none of `exclusions`."""

    key: int
    advertiser_key: int
    name: str
    inclusions: tuple[Rule, ...]
    exclusions: tuple[Rule, ...] = ()
    version: int = 1
    created_at_ms: int = 0


def days_kept_instead(audience: Audience, retention: Retention) -> int | None:
    """How long an event is kept that a rule asks for longer; None where each is kept for long enough."""
    for rule in (*audience.inclusions, *audience.exclusions):
        kept_days = retention.of_event(rule.event) // DAY_MS
        if rule.retention_days > kept_days:
            return kept_days
    return None


def asks_for(audience: Audience, event: EventName) -> bool:
    """Whether it holds visitors for having done this."""
    return any(rule.event is event for rule in audience.inclusions)


def is_member(audience: Audience, profile: Profile, now_ms: int) -> bool:
    """Whether the visitor belongs to the audience now; windows are half-open: [event, event + days)."""
    shop = profile.shop(audience.advertiser_key)
    if shop is None:
        return False
    last_ms = shop.last_event_ms
    if _any_applies(audience.exclusions, last_ms, now_ms):
        return False
    return _any_applies(audience.inclusions, last_ms, now_ms)


def _any_applies(rules: tuple[Rule, ...], last_ms: Mapping[EventName, int], now_ms: int) -> bool:
    for rule in rules:  # a plain loop: this is asked at every ad
        at_ms = last_ms.get(rule.event)
        if at_ms is not None and now_ms < at_ms + rule.retention_days * DAY_MS:
            return True
    return False


def audience_for(
    terms: Terms, audiences: Mapping[int, Audience], profile: Profile, now_ms: int
) -> int | None:
    """Whose rate the visitor is served at: the highest that matches, ties to the smallest key.

    0 is the campaign's own rate, where its terms name no audience; None where the visitor is in none of
    those they name.
    """
    if not terms.audience_rates:
        return 0
    best_key, best_rate = None, -1
    for named in terms.audience_rates:
        key = named.audience_key
        rate = rate_named(terms, named)
        if rate < best_rate or (rate == best_rate and best_key is not None and key > best_key):
            continue
        audience = audiences.get(key)
        if audience is not None and is_member(audience, profile, now_ms):
            best_key, best_rate = key, rate
    return best_key
