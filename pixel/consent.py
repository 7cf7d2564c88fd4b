"""Privacy signals of a request become one Consent: may we store, profile, personalise, measure."""

from enum import StrEnum

import msgspec


class Region(StrEnum):
    """How the law where the visitor sits reads silence."""

    STRICT = "strict"  # EEA, UK, CH: silence is a no
    OPEN = "open"  # silence is allowed by the operator's policy


class Signals(msgspec.Struct, frozen=True):
    """What a request says about privacy, verbatim and unjudged.

    `asserted` is the page's own statement of consent (the tag's `rt('consent', {...})`, or `consent=1`),
    `asserted_by` the consent tool it names, `asserted_at_seconds` when it was given.
    `origin_verified` is true when the request came from one of the account's own domains.
    """

    region: Region
    gdpr: str | None = None
    gdpr_consent: str | None = None
    gpp: str | None = None
    gpp_sid: str | None = None
    coppa: str | None = None
    asserted: bool | None = None
    asserted_by: str | None = None
    asserted_at_seconds: int | None = None
    origin_verified: bool = False
    global_privacy_control: bool = False
    opted_out: bool = False


class Basis(StrEnum):
    """The reason behind a Consent; told in debug headers and counted."""

    OPEN_REGION = "open_region"
    ASSERTED = "asserted"
    REFUSED = "refused"
    NO_USABLE_STRING = "no_usable_string"
    PRIVACY_CONTROL = "privacy_control"
    OPTED_OUT = "opted_out"
    CHILD = "child"


class Consent(msgspec.Struct, frozen=True):
    """What the law and the visitor allow for one request."""

    basis: Basis
    may_store: bool  # set or read our cookie
    may_profile: bool  # remember views and carts
    may_personalise: bool  # choose products from the profile
    may_measure: bool  # count impressions, clicks, conversions by visitor


# The EEA, its outermost regions with codes of their own, the United Kingdom and Switzerland.
STRICT_COUNTRIES = frozenset(
    """
    AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK IS LI NO
    AX GF GP MF MQ RE YT GB CH
    """.split()
)


def region_of(country: str | None, default: Region) -> Region:
    """How silence is read in `country` (ISO 3166, two capitals), or `default` where it is unknown."""
    if not country:
        return default
    return Region.STRICT if country in STRICT_COUNTRIES else Region.OPEN


def decide(signals: Signals) -> Consent:
    """What one request allows: the strongest no wins, then the law of the place reads what was said."""
    if signals.opted_out:
        return _nothing(Basis.OPTED_OUT)
    if _said(signals.coppa) not in (None, "0"):
        return _nothing(Basis.CHILD)
    if signals.global_privacy_control:
        return _nothing(Basis.PRIVACY_CONTROL)
    if signals.asserted is False:
        return _nothing(Basis.REFUSED)
    if _needs_a_yes(signals):
        return _everything(Basis.ASSERTED) if _is_proven(signals) else _nothing(Basis.NO_USABLE_STRING)
    if _holds_sections(_said(signals.gpp)):
        return _nothing(Basis.NO_USABLE_STRING)
    return _everything(Basis.ASSERTED if signals.asserted else Basis.OPEN_REGION)


def _needs_a_yes(signals: Signals) -> bool:
    """Whether silence is a no. A bare `gdpr=0` in a pasted address does not move a European elsewhere."""
    if signals.region is Region.STRICT:
        return True
    gdpr = _said(signals.gdpr)
    if gdpr is None:
        return _said(signals.gdpr_consent) is not None
    return gdpr != "0"


def _is_proven(signals: Signals) -> bool:
    """A yes that names its consent tool and its time, from the account's own pages.

    There is no decoder of TCF strings yet, so that a string is never usable, and never a yes.
    """
    return (
        signals.asserted is True
        and signals.origin_verified
        and bool(_said(signals.asserted_by))
        and signals.asserted_at_seconds is not None
    )


def _holds_sections(gpp: str | None) -> bool:
    """A GPP string with sections may hold an opt-out; unread, it must be taken for one."""
    return gpp is not None and "~" in gpp


def _said(value: str | None) -> str | None:
    """The signal, or None where nothing was said: a macro nobody expanded is silence, never consent."""
    if not value or value.startswith(("${", "%%")):
        return None
    return value


def _nothing(basis: Basis) -> Consent:
    return Consent(basis, may_store=False, may_profile=False, may_personalise=False, may_measure=False)


def _everything(basis: Basis) -> Consent:
    return Consent(basis, may_store=True, may_profile=True, may_personalise=True, may_measure=True)
