"""What a campaign's targeting has against a page, dimension by dimension, as docs/targeting.md says it."""

from datetime import UTC, datetime

from adserver.domain.eligibility import Refusal
from adserver.domain.page import Page
from adserver.domain.targeting import Targeting

SINGULAR = {
    "countries": "country", "subdivisions": "subdivision", "devices": "device", "languages": "language",
    "sites": "site", "publishers": "publisher", "categories": "category", "keywords": "keyword",
}  # fmt: skip
ALWAYS_KNOWN = ("sites", "publishers")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def targeting_refusal(targeting: Targeting, page: Page, now_ms: int) -> Refusal | None:
    """Its hours are read in UTC, and as `mon 08-20` only."""
    for name, word in SINGULAR.items():
        condition, facts = getattr(targeting, name), {_text(one) for one in getattr(page, name)}
        if condition.included and not facts:
            return Refusal(f"{word}_not_targeted" if name in ALWAYS_KNOWN else f"{word}_unknown")
        if condition.included and not any(one.lower() in facts for one in condition.included):
            return Refusal(f"{word}_not_targeted")
        if any(one.lower() in facts for one in condition.excluded):
            return Refusal(f"{word}_not_targeted")
    inside = [_is_in(value, now_ms) for value in targeting.hours.included]
    outside = [_is_in(value, now_ms) for value in targeting.hours.excluded]
    is_wrong = (inside and not any(inside)) or any(outside)
    return Refusal.HOUR_NOT_TARGETED if is_wrong else None


def _text(fact: str | tuple[str, ...]) -> str:
    return (fact if isinstance(fact, str) else " > ".join(fact)).lower()


def _is_in(value: str, now_ms: int) -> bool:
    now, (day, hours) = datetime.fromtimestamp(now_ms / 1000, UTC), value.split()
    begins, ends = map(int, hours.split("-"))
    return DAYS[now.weekday()] == day and begins <= now.hour < ends
