"""How a request's browser was known to us, for how long that lasts, and what it costs where it was not."""

from collections.abc import Container, Iterable, Mapping
from enum import StrEnum
from itertools import product

import msgspec

from adserver.domain.caller import Caller
from adserver.domain.tally import NETWORK, Tally
from adserver.domain.token import LANDING_VALID_MS
from adserver.domain.visitor import DAY_MS
from pixel.consent import Consent
from pixel.events import Family

COOKIE_DAYS = 390  # ours, and the longest that any browser keeps one since Chrome 104
SCRIPT_DAYS = 7  # Safari's cap on what scripts store, such as the tag's click id
CLICK_DAYS = LANDING_VALID_MS // DAY_MS
LEAST_REQUESTS = 10  # of a group that is shown by name: a smaller one could point at somebody
FOLDED = "(other)"


class Kind(StrEnum):
    """By what a browser was known, or why it was not."""

    COOKIE = "cookie"
    FIRST_PARTY = "first_party"  # our cookie, by the path that the merchant's own server passes on
    CLICK = "click"  # no cookie, but the click id of an ad
    NEW = "new"  # no cookie came; one is set now, and may come back or not
    SITE = "site"  # only the count of ads that this one site keeps: it caps them, and names nobody
    NONE = "none"
    FORGED = "forged"  # what came was no cookie of ours
    REFUSED = "refused"  # by signal, or by silence where that is a no
    OPTED_OUT = "opted_out"


class Side(StrEnum):
    """Where requests come from: merchants' pages, or publishers' slots."""

    PIXEL = "pixel"
    SLOT = "slot"


UNKNOWN = frozenset({Kind.NONE, Kind.SITE, Kind.FORGED})  # in slots: nothing says whose products to show
REFUSING = frozenset({Kind.REFUSED, Kind.OPTED_OUT})

_NAMES = {
    (side, kind, family): f"identity_{side}_{kind}_{family}"
    for side, kind, family in product(Side, Kind, Family)
}


def kind_on_page(caller: Caller, consent: Consent, is_own_path: bool, has_click_id: bool) -> Kind:
    """`is_own_path`: the request came through the merchant's own server, from a page of the merchant's."""
    if caller.opted_out:
        return Kind.OPTED_OUT
    if not consent.may_store:
        return Kind.REFUSED
    if caller.cookie_flaw is not None:
        return Kind.FORGED
    if caller.visitor_key:
        return Kind.FIRST_PARTY if is_own_path else Kind.COOKIE
    return Kind.CLICK if has_click_id else Kind.NEW


def kind_in_slot(caller: Caller, consent: Consent, has_site_cookie: bool) -> Kind:
    if caller.opted_out:
        return Kind.OPTED_OUT
    if not (consent.may_personalise and consent.may_measure):
        return Kind.REFUSED
    if caller.cookie_flaw is not None:
        return Kind.FORGED
    if caller.visitor_key:
        return Kind.COOKIE
    return Kind.SITE if has_site_cookie else Kind.NONE


def count_request(tally: Tally, side: Side, kind: Kind, caller: Caller, *owner_keys: int) -> None:
    """A request of each of the owners, and of the whole server; a test visitor's is nobody's."""
    if caller.test:
        return
    name = _NAMES[side, kind, caller.family]
    tally.add(NETWORK, name)
    for owner_key in owner_keys:
        tally.add(owner_key, name)


def counters(side: Side) -> list[str]:
    return [name for (of, _, _), name in _NAMES.items() if of is side]


def window_days(kind: Kind, family: Family) -> int | None:
    """For how many days a browser is known by this; None where it is not, or nobody can say."""
    if kind is Kind.CLICK:
        return SCRIPT_DAYS if family in (Family.SAFARI, Family.IN_APP) else CLICK_DAYS
    return COOKIE_DAYS if kind in (Kind.COOKIE, Kind.FIRST_PARTY) else None


class Group(msgspec.Struct, frozen=True):
    """Requests of one kind in one family; in a sum over kinds or families, that one is None."""

    kind: str | None
    family: str | None
    requests: int
    window_days: int | None = None


class Recognition(msgspec.Struct, frozen=True):
    """The requests of one side. Groups too small to be named are together as FOLDED, in every list.

    `unknown` could not be personalised since nobody knew the browser, `refused` since it was refused; None
    for as few as are not named.
    """

    requests: int
    groups: list[Group]
    kinds: list[Group]
    families: list[Group]
    unknown: int | None
    refused: int | None


def recognition(side: Side, counts: Mapping[str, int]) -> Recognition:
    """The report of a side from its counters."""
    told = [
        Group(kind, family, counts[name], window_days(kind, family))
        for (of, kind, family), name in _NAMES.items()
        if of is side and counts.get(name)
    ]
    groups = _folded(told)
    return Recognition(
        _sum(told),
        groups,
        [Group(kind, None, _sum(part)) for kind, part in _by("kind", groups)],
        [Group(None, family, _sum(part), _usual_days(part)) for family, part in _by("family", groups)],
        _of_kinds(UNKNOWN, told),
        _of_kinds(REFUSING, told),
    )


def _of_kinds(kinds: Container[str | None], groups: list[Group]) -> int | None:
    requests = _sum([one for one in groups if one.kind in kinds])
    return None if 0 < requests < LEAST_REQUESTS else requests


def _folded(groups: list[Group]) -> list[Group]:
    named = [one for one in groups if one.requests >= LEAST_REQUESTS]
    rest = _sum(groups) - _sum(named)
    return [*named, Group(FOLDED, FOLDED, rest)] if rest else named


def _sum(groups: Iterable[Group]) -> int:
    return sum(one.requests for one in groups)


def _by(name: str, groups: list[Group]) -> list[tuple[str, list[Group]]]:
    """The groups by what they have in common, the most requests first."""
    parts: dict[str, list[Group]] = {}
    for one in groups:
        parts.setdefault(getattr(one, name), []).append(one)
    return sorted(parts.items(), key=lambda part: -_sum(part[1]))


def _usual_days(groups: list[Group]) -> int | None:
    """For how many days at least half of the requests whose browser was known will be known again."""
    known = sorted(
        [(one.window_days, one.requests) for one in groups if one.window_days is not None], reverse=True
    )
    half, seen = sum(n for _, n in known) / 2, 0
    for days, n in known:
        seen += n
        if seen >= half:
            return days
    return None
