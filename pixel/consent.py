"""Privacy signals of a request become one Consent: may we store, profile, personalise, measure."""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from pixel.consent_proof import ConsentProof, digest_of
from pixel.gpp import TCF_EU, US_PRIVACY, GppFlaw, UsChoices, choices_of, fields_of, sections_of
from pixel.tcf import RestrictionType, TcFlaw, TcString, decode


class Region(StrEnum):
    """How the law where the visitor sits reads silence."""

    STRICT = "strict"  # EEA, UK, CH: silence is a no
    OPEN = "open"  # silence is allowed by the operator's policy


class Said(msgspec.Struct, frozen=True):
    """What a page says about privacy, verbatim and unjudged.

    `asserted` is the page's own statement of consent (the tag's `rt('consent', {...})`, or `consent=1`),
    `asserted_by` the consent tool it names, `asserted_at_seconds` when it was given. The three `ad_` fields
    are Google's Consent Mode. `global_privacy_control` was read by a script, where the header is missing.
    `unheard`: a consent tool has not spoken yet, or what was said could not be read; that is nobody's answer.
    """

    gdpr: str | None = None
    gdpr_consent: str | None = None
    gpp: str | None = None
    gpp_sid: str | None = None
    us_privacy: str | None = None
    coppa: str | None = None
    asserted: bool | None = None
    asserted_by: str | None = None
    asserted_at_seconds: int | None = None
    ad_storage: bool | None = None
    ad_user_data: bool | None = None
    ad_personalization: bool | None = None
    global_privacy_control: bool = False
    unheard: bool = False


NOTHING_SAID = Said()


class Signals(msgspec.Struct, frozen=True):
    """Everything a decision on consent depends on: what the page said, who asks, where, and when.

    `origin_verified` is true when the request came from one of the account's own domains, of which `site` is
    the host; `has_cookie` when it carries our visitor cookie. `vendor_id` is the operator's own on the IAB's
    Global Vendor List. `assertions_held`: nobody ever says no on the account's pages, so its yes is none.
    """

    region: Region
    now_ms: int
    said: Said = NOTHING_SAID
    vendor_id: int | None = None
    origin_verified: bool = False
    global_privacy_control: bool = False
    opted_out: bool = False
    has_cookie: bool = False
    site: str = ""
    assertions_held: bool = False


class Basis(StrEnum):
    """What a Consent stands on, or the reason behind its first no; told in debug headers and counted."""

    OPEN_REGION = "open_region"
    ASSERTED = "asserted"
    TCF = "tcf"

    OPTED_OUT = "opted_out"
    CHILD = "child"
    PRIVACY_CONTROL = "privacy_control"
    SALE_OPT_OUT = "sale_opt_out"  # GPP or us_privacy: of sale, of sharing or of targeted advertising
    REFUSED = "refused"  # by the page: consent=0
    UNHEARD = "unheard"  # consent=unheard: nobody has answered yet
    AD_STORAGE_DENIED = "ad_storage_denied"
    AD_USER_DATA_DENIED = "ad_user_data_denied"
    AD_PERSONALIZATION_DENIED = "ad_personalization_denied"
    GPP_UNREADABLE = "gpp_unreadable"
    US_PRIVACY_UNREADABLE = "us_privacy_unreadable"
    TC_UNREADABLE = "tc_unreadable"
    TC_OTHER_VERSION = "tc_other_version"
    TC_OLD_POLICY = "tc_old_policy"
    TC_EXPIRED = "tc_expired"
    TC_FROM_THE_FUTURE = "tc_from_the_future"
    TC_NOT_SERVICE_SPECIFIC = "tc_not_service_specific"
    PURPOSE_REFUSED = "purpose_refused"
    RESTRICTED = "restricted"  # by the publisher
    VENDOR_NOT_DISCLOSED = "vendor_not_disclosed"
    VENDOR_REFUSED = "vendor_refused"
    NO_VENDOR_ID = "no_vendor_id"  # the operator has none, so that no TC string can speak of him
    UNPROVEN_ASSERTION = "unproven_assertion"
    ASSERTION_HELD = "assertion_held"  # nobody ever says no there, so that a yes proves nothing
    NO_USABLE_STRING = "no_usable_string"


class Consent(msgspec.Struct, frozen=True):
    """What the law and the visitor allow for one request.

    `withdrawn`: the visitor was known and now says no, so what was stored on this site is to go. `proof` is
    what the yes to a profile stands on; None without one, and where silence is allowed and nothing was said.
    """

    basis: Basis
    may_store: bool  # set or read our cookie
    may_profile: bool  # remember views and carts
    may_personalise: bool  # choose products from the profile
    may_measure: bool  # count impressions, clicks, conversions by visitor
    withdrawn: bool = False
    proof: ConsentProof | None = None
    may_cap: bool = False  # count in a cookie of the page's site how often an ad was shown there


# The EEA, its outermost regions with codes of their own, the United Kingdom and Switzerland; then territories
# of theirs with the same law, and EU, as which some databases know what lies in no one country.
STRICT_COUNTRIES = frozenset(
    """
    AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK IS LI NO
    AX GF GP MF MQ RE YT GB CH
    BL NC PF PM TF WF SJ GG GI IM JE EU
    """.split()
)
_NO_RULES: Mapping[str, Region] = MappingProxyType({})


def region_of(country: str | None, default: Region, rules: Mapping[str, Region] = _NO_RULES) -> Region:
    """How silence is read in `country` (ISO 3166, two capitals), or `default` where it is unknown.

    The operator's `rules` speak for countries that no European law makes strict.
    """
    if not country:
        return default
    if country in STRICT_COUNTRIES:
        return Region.STRICT
    return rules.get(country, Region.OPEN)


# What is allowed, as bits. Nothing is profiled that may not be stored, nor chosen from what is no profile.
_STORE, _PROFILE, _PERSONALISE, _MEASURE, _CAP = 1, 2, 4, 8, 16
_NEEDS = (_STORE, _PROFILE, _PERSONALISE, _MEASURE)
_NOTHING = 0
_ALL = _STORE | _PROFILE | _PERSONALISE | _MEASURE | _CAP
_ALL_BUT_PROFILE = _STORE | _MEASURE | _CAP
_ALL_BUT_PERSONALISE = _ALL ^ _PERSONALISE
_ALL_BUT_MEASURE = _ALL ^ _MEASURE
_ALL_BUT_CAP = _ALL ^ _CAP

# What is left where a purpose of the TCF is off: 1 storage, 2 choosing ads by little, 3 a profile, 4 ads by
# it, 7 measurement.
_WITHOUT_PURPOSE = {
    1: _NOTHING,
    2: _ALL_BUT_CAP,
    3: _ALL_BUT_PROFILE,
    4: _ALL_BUT_PERSONALISE,
    7: _ALL_BUT_MEASURE,
}
_BY_INTEREST = (2, 7)  # those of them that may rest on legitimate interest

_OLDEST_POLICY = 4  # TCF 2.2: before it, legitimate interest stood for profiles too
_DAY_MS = 86_400_000
_MOST_AGE_MS = 393 * _DAY_MS  # thirteen months, the shortest there are
_MOST_SKEW_MS = _DAY_MS  # strings carry the day alone, and clocks differ


class _Ceiling(NamedTuple):
    """The most that one signal leaves; the least of all ceilings is the Consent."""

    basis: Basis
    allowed: int


class _Gpp(msgspec.Struct, frozen=True):
    """What the GPP string holds: American choices, and perhaps a TC string.

    `listed` is what `gpp_sid` says applies, None where it says nothing; `is_flawed` where something that
    applies could not be read, and may be a refusal.
    """

    us_choices: tuple[UsChoices, ...] = ()
    tc_text: str | None = None
    listed: frozenset[int] | None = None
    is_flawed: bool = False


class _Heard(msgspec.Struct, frozen=True):
    """The signals once their strings were read, so that no rule reads one again."""

    signals: Signals
    gpp: _Gpp
    us_privacy: UsChoices | GppFlaw
    gdpr_applies: bool
    tc_texts: tuple[str, ...]  # only where the GDPR applies
    tc_strings: tuple[TcString | TcFlaw, ...]  # what they say


def decide(signals: Signals) -> Consent:
    """What one request allows: the least of what each of its signals leaves.

    Every signal can only take away, so that one more refusal never allows more. The basis is the first
    reason for the first thing that is not allowed; where everything is, what that yes stands on.
    """
    heard = _hear(signals)
    ceilings = [ceiling for rule in _RULES for ceiling in rule(heard)]
    allowed = _ALL
    for ceiling in ceilings:
        allowed &= ceiling.allowed
    return Consent(
        _basis(ceilings, heard),
        may_store=bool(allowed & _STORE),
        may_profile=bool(allowed & _PROFILE),
        may_personalise=bool(allowed & _PERSONALISE),
        may_measure=bool(allowed & _MEASURE),
        withdrawn=signals.has_cookie and (signals.opted_out or _takes_back(heard)),
        proof=_proof(heard) if allowed & _PROFILE else None,
        may_cap=bool(allowed & _CAP),
    )


def _basis(ceilings: list[_Ceiling], heard: _Heard) -> Basis:
    for need in _NEEDS:
        for ceiling in ceilings:
            if not ceiling.allowed & need:
                return ceiling.basis
    return _footing(heard)


def _footing(heard: _Heard) -> Basis:
    """What a yes stands on."""
    if heard.tc_strings and heard.signals.vendor_id is not None:
        return Basis.TCF
    return Basis.ASSERTED if _asserted(heard.signals.said) else Basis.OPEN_REGION


def _proof(heard: _Heard) -> ConsentProof | None:
    """Of a yes; an assertion's time is no part of its digest, since some tools tell a new one each day."""
    kind, said, site = _footing(heard), heard.signals.said, heard.signals.site
    if kind is Basis.OPEN_REGION:
        return None
    if kind is Basis.TCF and isinstance(first := heard.tc_strings[0], TcString):
        return ConsentProof(
            kind, digest_of(" ".join(heard.tc_texts)), str(first.cmp_id), first.updated_ms, site
        )
    tool, given_seconds = _said(said.asserted_by) or "", said.asserted_at_seconds
    flags = (said.asserted, said.ad_storage, said.ad_user_data, said.ad_personalization)
    digest = digest_of(" ".join([*map(_FLAG_LETTERS.__getitem__, flags), tool]))
    return ConsentProof(kind, digest, tool, None if given_seconds is None else given_seconds * 1_000, site)


_FLAG_LETTERS = {True: "1", False: "0", None: "-"}


def _takes_back(heard: _Heard) -> bool:
    """Whether the account's own page says an explicit no to storage or to the profile.

    Silence is none, nor is a string that says nothing any more; what the browser or American law opts out
    of is suppressed, not erased. Pages deny `ad_storage` by default: a yes of another kind speaks louder, and
    before anybody has answered it is no no.
    """
    signals, said = heard.signals, heard.signals.said
    strings = [
        one
        for one in heard.tc_strings
        if isinstance(one, TcString) and _invalidity(one, signals.now_ms) is None
    ]
    if not signals.origin_verified:
        return False
    if said.asserted is False or any(_is_no(one, signals.vendor_id) for one in strings):
        return True
    return said.ad_storage is False and not (strings or said.asserted or said.unheard)


def _is_no(string: TcString, vendor_id: int | None) -> bool:
    """A no to storage, to a profile, or to us, if the visitor was asked about us."""
    if vendor_id is None or string.disclosed is None or vendor_id not in string.disclosed:
        return not string.purpose_consents >= {1, 3}
    return not string.purpose_consents >= {1, 3} or vendor_id not in string.vendor_consents


# ---- reading ----


def _hear(signals: Signals) -> _Heard:
    said = signals.said
    gpp = _read_gpp(said)
    applies = _gdpr_applies(signals, gpp)
    told = (_said(said.gdpr_consent), gpp.tc_text) if applies else ()
    tc_texts = tuple([text for text in told if text is not None])
    return _Heard(
        signals, gpp, _read_us_privacy(said), applies, tc_texts, tuple([decode(text) for text in tc_texts])
    )


def _read_gpp(said: Said) -> _Gpp:
    """Opt-outs count wherever they stand; what cannot be read counts only where it applies."""
    text, listed = _said(said.gpp), _listed(said.gpp_sid)
    sections = {} if text is None else sections_of(text)
    if isinstance(sections, GppFlaw):
        return _Gpp(listed=listed, is_flawed=True)
    tc_text = sections.pop(TCF_EU, None)
    choices, is_flawed = [], False
    for section_id, section in sections.items():
        fields = fields_of(section_id, section)
        if not isinstance(fields, GppFlaw):
            choices.append(choices_of(fields))
        elif listed is None or section_id in listed:
            is_flawed = True
    return _Gpp(tuple(choices), tc_text, listed, is_flawed)


def _read_us_privacy(said: Said) -> UsChoices | GppFlaw:
    text = _said(said.us_privacy)
    if text is None:
        return UsChoices()
    fields = fields_of(US_PRIVACY, text)
    return fields if isinstance(fields, GppFlaw) else choices_of(fields)


def _listed(gpp_sid: str | None) -> frozenset[int] | None:
    """The ids in `2,7` (or `2_7`); None where nothing was said, or nothing that can be read."""
    parts = (_said(gpp_sid) or "").replace("_", ",").split(",")
    if not all(part.isascii() and part.isdigit() and len(part) < 4 for part in parts):
        return None
    return frozenset([int(part) for part in parts])


def _gdpr_applies(signals: Signals, gpp: _Gpp) -> bool:
    """Whether silence is a no. A bare `gdpr=0` in a pasted address does not move a European elsewhere."""
    if signals.region is Region.STRICT or (gpp.listed and TCF_EU in gpp.listed):
        return True
    gdpr = _said(signals.said.gdpr)
    if gdpr is not None:
        return gdpr != "0"
    return _said(signals.said.gdpr_consent) is not None or (gpp.listed is None and gpp.tc_text is not None)


def _said(value: str | None) -> str | None:
    """The signal, or None where nothing was said: a macro nobody expanded is silence, never consent."""
    if not value or value.startswith(("${", "%%")):
        return None
    return value


# ---- the rules: each says what its signal leaves ----


def _of_the_visitor(heard: _Heard) -> Iterator[_Ceiling]:
    """What the visitor told us or the browser, and whom the law protects most."""
    signals, us = heard.signals, _us_choices(heard)
    if signals.opted_out:
        yield _Ceiling(Basis.OPTED_OUT, _NOTHING)
    if _said(signals.said.coppa) not in (None, "0") or any(choices.child for choices in us):
        yield _Ceiling(Basis.CHILD, _NOTHING)
    by_script = signals.said.global_privacy_control or any(choices.gpc for choices in us)
    if signals.global_privacy_control or by_script:
        yield _Ceiling(Basis.PRIVACY_CONTROL, _NOTHING)
    if any(choices.opted_out for choices in us):
        yield _Ceiling(Basis.SALE_OPT_OUT, _NOTHING)


def _us_choices(heard: _Heard) -> tuple[UsChoices, ...]:
    by_text = heard.us_privacy
    return heard.gpp.us_choices if isinstance(by_text, GppFlaw) else (*heard.gpp.us_choices, by_text)


def _of_the_page(heard: _Heard) -> Iterator[_Ceiling]:
    """The page's own no, and Google's Consent Mode."""
    said = heard.signals.said
    if said.asserted is False:
        yield _Ceiling(Basis.REFUSED, _NOTHING)
    if said.unheard:
        yield _Ceiling(Basis.UNHEARD, _NOTHING)
    if said.ad_storage is False:
        yield _Ceiling(Basis.AD_STORAGE_DENIED, _NOTHING)
    if said.ad_user_data is False:
        yield _Ceiling(Basis.AD_USER_DATA_DENIED, _ALL_BUT_PROFILE)
    if said.ad_personalization is False:
        yield _Ceiling(Basis.AD_PERSONALIZATION_DENIED, _ALL_BUT_PERSONALISE)


def _of_what_is_unread(heard: _Heard) -> Iterator[_Ceiling]:
    """What cannot be read may hold an opt-out, and is taken for one."""
    if heard.gpp.is_flawed:
        yield _Ceiling(Basis.GPP_UNREADABLE, _NOTHING)
    if isinstance(heard.us_privacy, GppFlaw):
        yield _Ceiling(Basis.US_PRIVACY_UNREADABLE, _NOTHING)


def _of_tc_strings(heard: _Heard) -> Iterator[_Ceiling]:
    """Every string that was said binds, the one inside a GPP string too."""
    vendor_id = heard.signals.vendor_id
    for string in heard.tc_strings:
        invalid = _invalidity(string, heard.signals.now_ms)
        if isinstance(string, TcFlaw) or invalid is not None:
            yield _Ceiling(invalid or Basis.TC_UNREADABLE, _NOTHING)
            continue
        for purpose, left in _WITHOUT_PURPOSE.items():
            if purpose not in string.purpose_consents and not _rests_on_interest(string, purpose):
                yield _Ceiling(Basis.PURPOSE_REFUSED, left)
        if vendor_id is not None:
            yield from _of_vendor(string, vendor_id)


def _rests_on_interest(string: TcString, purpose: int) -> bool:
    return purpose in _BY_INTEREST and purpose in string.purpose_interests


def _invalidity(string: TcString | TcFlaw, now_ms: int) -> Basis | None:
    """Why a string says nothing any more, or nothing to us."""
    if isinstance(string, TcFlaw):
        return Basis.TC_OTHER_VERSION if string is TcFlaw.OTHER_VERSION else Basis.TC_UNREADABLE
    if string.updated_ms < now_ms - _MOST_AGE_MS:
        return Basis.TC_EXPIRED
    if string.updated_ms > now_ms + _MOST_SKEW_MS:
        return Basis.TC_FROM_THE_FUTURE
    if string.policy_version < _OLDEST_POLICY:
        return Basis.TC_OLD_POLICY
    return None if string.service_specific else Basis.TC_NOT_SERVICE_SPECIFIC


def _of_vendor(string: TcString, vendor_id: int) -> Iterator[_Ceiling]:
    """What the string says of one vendor: shown to the visitor, agreed to, not restricted."""
    if string.disclosed is None or vendor_id not in string.disclosed:
        yield _Ceiling(Basis.VENDOR_NOT_DISCLOSED, _NOTHING)
    if vendor_id not in string.vendor_consents:
        yield _Ceiling(Basis.VENDOR_REFUSED, _NOTHING)
    for purpose, left in _WITHOUT_PURPOSE.items():
        types = {
            restriction.type
            for restriction in string.restrictions
            if restriction.purpose == purpose and vendor_id in restriction.vendors
        }
        by_consent = purpose in string.purpose_consents and types <= {RestrictionType.CONSENT_ONLY}
        by_interest = (
            _rests_on_interest(string, purpose)
            and vendor_id in string.vendor_interests
            and types <= {RestrictionType.INTEREST_ONLY}
        )
        if not (by_consent or by_interest):
            yield _Ceiling(Basis.RESTRICTED if types else Basis.VENDOR_REFUSED, left)


def _of_the_ground(heard: _Heard) -> Iterator[_Ceiling]:
    """Where silence is a no, something must say yes: a TC string that names us, or a proven assertion."""
    signals = heard.signals
    if not heard.gdpr_applies or (heard.tc_strings and signals.vendor_id is not None):
        return
    asserted = _asserted(signals.said)
    if _is_proven(signals) and not signals.assertions_held:
        yield _Ceiling(Basis.NO_USABLE_STRING, asserted)
    elif heard.tc_strings:
        yield _Ceiling(Basis.NO_VENDOR_ID, _NOTHING)
    elif asserted and signals.assertions_held:
        yield _Ceiling(Basis.ASSERTION_HELD, _NOTHING)
    else:
        yield _Ceiling(Basis.UNPROVEN_ASSERTION if asserted else Basis.NO_USABLE_STRING, _NOTHING)


def _asserted(said: Said) -> int:
    """What the page says the visitor agreed to, as a whole or by Consent Mode."""
    if said.asserted or (said.ad_storage and said.ad_user_data and said.ad_personalization):
        return _ALL
    if not said.ad_storage:
        return _NOTHING
    return _ALL_BUT_PERSONALISE if said.ad_user_data else _ALL_BUT_PROFILE


def _is_proven(signals: Signals) -> bool:
    """An assertion from the account's own pages that names its consent tool, and a time that may be true.

    The tool is one that knows us as a custom vendor, or the page's own banner.
    """
    said = signals.said
    if said.asserted_at_seconds is None or _said(said.asserted_by) is None or not signals.origin_verified:
        return False
    age_ms = signals.now_ms - said.asserted_at_seconds * 1_000
    return -_MOST_SKEW_MS <= age_ms <= _MOST_AGE_MS


_RULES: tuple[Callable[[_Heard], Iterator[_Ceiling]], ...] = (
    _of_the_visitor,
    _of_the_page,
    _of_what_is_unread,
    _of_tc_strings,
    _of_the_ground,
)
