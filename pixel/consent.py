"""Privacy signals of a request become one Consent: may we store, profile, personalise, measure."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from enum import StrEnum
from functools import lru_cache
from math import inf
from operator import attrgetter
from typing import NamedTuple

import msgspec
from msgspec.structs import astuple

from pixel.consent_proof import ConsentProof, digest_of
from pixel.gpp import TCF_EU, GppFlaw, UsChoices
from pixel.stated import Gpp, read_gpp, read_us_privacy, stated
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


class Heard(msgspec.Struct, frozen=True):
    """The signals once their strings were read, so that no rule reads one again."""

    signals: Signals
    gpp: Gpp
    us_privacy: UsChoices | GppFlaw
    gdpr_applies: bool
    tc_texts: tuple[str, ...]  # only where the GDPR applies
    tc_answers: tuple["_TcAnswer | TcFlaw", ...]  # what they say to us


class _Known(NamedTuple):
    """A Consent, and from when until when nothing in it depends on the time."""

    consent: Consent
    from_ms: float
    until_ms: float


_MOST_KNOWN = 4_096
_MOST_KNOWN_CHARACTERS = 3_000  # of one page's signals: pages, not we, choose how long they are
_KNOWN: OrderedDict[Hashable, _Known] = OrderedDict()
_all_but_the_time = attrgetter(*(name for name in Signals.__struct_fields__ if name != "now_ms"))


def decide(signals: Signals) -> Consent:
    """What `judge` says, remembered: a visitor's browser says the same with every request of a visit."""
    key = _all_but_the_time(signals)
    known = _KNOWN.get(key)
    if known is not None and known.from_ms <= signals.now_ms < known.until_ms:
        return known.consent
    heard = hear(signals)
    consent = judge(heard)
    if _length(signals) <= _MOST_KNOWN_CHARACTERS:
        _KNOWN[key] = _Known(consent, *_stays(heard))
        if len(_KNOWN) > _MOST_KNOWN:
            _KNOWN.popitem(last=False)  # the oldest, not the one longest unused: threads share this
    return consent


def _length(signals: Signals) -> int:
    return len(signals.site) + sum(len(text) for text in astuple(signals.said) if isinstance(text, str))


def _stays(heard: Heard) -> tuple[float, float]:
    """From when until when no date that was said is passed: of the strings, and of the assertion."""
    now_ms, given_seconds = heard.signals.now_ms, heard.signals.said.asserted_at_seconds
    dates = [answer.updated_ms for answer in heard.tc_answers if isinstance(answer, _TcAnswer)]
    if given_seconds is not None:
        dates.append(given_seconds * 1_000)
    turns = [turn for at_ms in dates for turn in (at_ms - _MOST_SKEW_MS, at_ms + _MOST_AGE_MS + 1)]
    from_ms = max((turn for turn in turns if turn <= now_ms), default=-inf)
    return from_ms, min((turn for turn in turns if turn > now_ms), default=inf)


def judge(heard: Heard) -> Consent:
    """What one request allows: the least of what each of its signals leaves.

    Every signal can only take away, so that one more refusal never allows more. The basis is the first
    reason for the first thing that is not allowed; where everything is, what that yes stands on.
    """
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
        withdrawn=heard.signals.has_cookie and (heard.signals.opted_out or _takes_back(heard)),
        proof=_proof(heard) if allowed & _PROFILE else None,
        may_cap=bool(allowed & _CAP),
    )


def _basis(ceilings: list[_Ceiling], heard: Heard) -> Basis:
    for need in _NEEDS:
        for ceiling in ceilings:
            if not ceiling.allowed & need:
                return ceiling.basis
    return _footing(heard)


def _footing(heard: Heard) -> Basis:
    """What a yes stands on."""
    if heard.tc_answers and heard.signals.vendor_id is not None:
        return Basis.TCF
    return Basis.ASSERTED if _asserted(heard.signals.said) else Basis.OPEN_REGION


def _proof(heard: Heard) -> ConsentProof | None:
    """Of a yes; an assertion's time is no part of its digest, since some tools tell a new one each day."""
    kind, said, site = _footing(heard), heard.signals.said, heard.signals.site
    if kind is Basis.OPEN_REGION:
        return None
    if kind is Basis.TCF and isinstance(first := heard.tc_answers[0], _TcAnswer):
        return ConsentProof(
            kind, digest_of(" ".join(heard.tc_texts)), str(first.cmp_id), first.updated_ms, site
        )
    tool, given_seconds = stated(said.asserted_by) or "", said.asserted_at_seconds
    flags = (said.asserted, said.ad_storage, said.ad_user_data, said.ad_personalization)
    digest = digest_of(" ".join([*map(_FLAG_LETTERS.__getitem__, flags), tool]))
    return ConsentProof(kind, digest, tool, None if given_seconds is None else given_seconds * 1_000, site)


_FLAG_LETTERS = {True: "1", False: "0", None: "-"}


def _takes_back(heard: Heard) -> bool:
    """Whether the account's own page says an explicit no to storage or to the profile.

    Silence is none, nor is a string that says nothing any more; what the browser or American law opts out
    of is suppressed, not erased. Pages deny `ad_storage` by default: a yes of another kind speaks louder, and
    before anybody has answered it is no no.
    """
    signals, said = heard.signals, heard.signals.said
    if not signals.origin_verified:
        return False
    valid = [
        answer
        for answer in heard.tc_answers
        if isinstance(answer, _TcAnswer) and _invalidity(answer, signals.now_ms) is None
    ]
    if said.asserted is False or any(answer.is_no for answer in valid):
        return True
    return said.ad_storage is False and not (valid or said.asserted or said.unheard)


# ---- reading ----


def hear(signals: Signals) -> Heard:
    said = signals.said
    gpp = read_gpp(said.gpp, said.gpp_sid)
    applies = _gdpr_applies(signals, gpp)
    told = (stated(said.gdpr_consent), gpp.tc_text) if applies else ()
    tc_texts = tuple([text for text in told if text is not None])
    answers = tuple([_answer_of(text, signals.vendor_id) for text in tc_texts])
    return Heard(signals, gpp, read_us_privacy(said.us_privacy), applies, tc_texts, answers)


def _gdpr_applies(signals: Signals, gpp: Gpp) -> bool:
    """Whether silence is a no. A bare `gdpr=0` in a pasted address does not move a European elsewhere."""
    if signals.region is Region.STRICT or (gpp.listed and TCF_EU in gpp.listed):
        return True
    gdpr = stated(signals.said.gdpr)
    if gdpr is not None:
        return gdpr != "0"
    return stated(signals.said.gdpr_consent) is not None or (gpp.listed is None and gpp.tc_text is not None)


# ---- the rules: each says what its signal leaves ----


def _of_the_visitor(heard: Heard) -> Iterator[_Ceiling]:
    """What the visitor told us or the browser, and whom the law protects most."""
    signals, us = heard.signals, _us_choices(heard)
    if signals.opted_out:
        yield _Ceiling(Basis.OPTED_OUT, _NOTHING)
    if stated(signals.said.coppa) not in (None, "0") or any(choices.child for choices in us):
        yield _Ceiling(Basis.CHILD, _NOTHING)
    by_script = signals.said.global_privacy_control or any(choices.gpc for choices in us)
    if signals.global_privacy_control or by_script:
        yield _Ceiling(Basis.PRIVACY_CONTROL, _NOTHING)
    if any(choices.opted_out for choices in us):
        yield _Ceiling(Basis.SALE_OPT_OUT, _NOTHING)


def _us_choices(heard: Heard) -> tuple[UsChoices, ...]:
    by_text = heard.us_privacy
    return heard.gpp.us_choices if isinstance(by_text, GppFlaw) else (*heard.gpp.us_choices, by_text)


def _of_the_page(heard: Heard) -> Iterator[_Ceiling]:
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


def _of_what_is_unread(heard: Heard) -> Iterator[_Ceiling]:
    """What cannot be read may hold an opt-out, and is taken for one."""
    if heard.gpp.is_flawed:
        yield _Ceiling(Basis.GPP_UNREADABLE, _NOTHING)
    if isinstance(heard.us_privacy, GppFlaw):
        yield _Ceiling(Basis.US_PRIVACY_UNREADABLE, _NOTHING)


def _of_tc_strings(heard: Heard) -> Iterator[_Ceiling]:
    """Every string that was said binds, the one inside a GPP string too."""
    for answer in heard.tc_answers:
        invalid = _invalidity(answer, heard.signals.now_ms)
        if isinstance(answer, TcFlaw) or invalid is not None:
            yield _Ceiling(invalid or Basis.TC_UNREADABLE, _NOTHING)
        else:
            yield from answer.ceilings


def _invalidity(answer: "_TcAnswer | TcFlaw", now_ms: int) -> Basis | None:
    """Why a string says nothing any more, or nothing to us."""
    if isinstance(answer, TcFlaw):
        return Basis.TC_OTHER_VERSION if answer is TcFlaw.OTHER_VERSION else Basis.TC_UNREADABLE
    if answer.updated_ms < now_ms - _MOST_AGE_MS:
        return Basis.TC_EXPIRED
    if answer.updated_ms > now_ms + _MOST_SKEW_MS:
        return Basis.TC_FROM_THE_FUTURE
    return answer.never_valid


def _of_the_ground(heard: Heard) -> Iterator[_Ceiling]:
    """Where silence is a no, something must say yes: a TC string that names us, or a proven assertion."""
    signals = heard.signals
    if not heard.gdpr_applies or (heard.tc_answers and signals.vendor_id is not None):
        return
    asserted = _asserted(signals.said)
    if _is_proven(signals) and not signals.assertions_held:
        yield _Ceiling(Basis.NO_USABLE_STRING, asserted)
    elif heard.tc_answers:
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
    if said.asserted_at_seconds is None or stated(said.asserted_by) is None or not signals.origin_verified:
        return False
    age_ms = signals.now_ms - said.asserted_at_seconds * 1_000
    return -_MOST_SKEW_MS <= age_ms <= _MOST_AGE_MS


_RULES: tuple[Callable[[Heard], Iterator[_Ceiling]], ...] = (
    _of_the_visitor,
    _of_the_page,
    _of_what_is_unread,
    _of_tc_strings,
    _of_the_ground,
)


# ---- what a TC string says to one vendor ----


class _TcAnswer(msgspec.Struct, frozen=True):
    """All that is kept of a TC string: the ceilings that it sets its vendor while it is valid.

    `is_no`: a no to storage, to a profile, or to us, if the visitor was asked about us. `never_valid` is why
    it says nothing, whatever its date.
    """

    updated_ms: int
    cmp_id: int
    never_valid: Basis | None
    is_no: bool
    ceilings: tuple[_Ceiling, ...]


_MOST_TC_CHARACTERS = 2_000  # of one that is remembered; longer than those of all vendors there are


def _answer_of(text: str, vendor_id: int | None) -> _TcAnswer | TcFlaw:
    read = _read_answer if len(text) <= _MOST_TC_CHARACTERS else _read_answer.__wrapped__
    return read(text, vendor_id)


@lru_cache(maxsize=4_096)  # decoding costs more than all else that a request asks of us
def _read_answer(text: str, vendor_id: int | None) -> _TcAnswer | TcFlaw:
    string = decode(text)
    if isinstance(string, TcFlaw):
        return string
    never_valid = None if string.service_specific else Basis.TC_NOT_SERVICE_SPECIFIC
    if string.policy_version < _OLDEST_POLICY:
        never_valid = Basis.TC_OLD_POLICY
    shown = vendor_id is not None and string.disclosed is not None and vendor_id in string.disclosed
    agreed = vendor_id is not None and vendor_id in string.vendor_consents
    by_vendor = () if vendor_id is None else _of_vendor(string, vendor_id, shown=shown, agreed=agreed)
    is_no = not string.purpose_consents >= {1, 3} or (shown and not agreed)
    ceilings = (*_of_purposes(string), *by_vendor)
    return _TcAnswer(string.updated_ms, string.cmp_id, never_valid, is_no, ceilings)


def _of_purposes(string: TcString) -> Iterator[_Ceiling]:
    for purpose, left in _WITHOUT_PURPOSE.items():
        if purpose not in string.purpose_consents and not _rests_on_interest(string, purpose):
            yield _Ceiling(Basis.PURPOSE_REFUSED, left)


def _rests_on_interest(string: TcString, purpose: int) -> bool:
    return purpose in _BY_INTEREST and purpose in string.purpose_interests


def _of_vendor(string: TcString, vendor_id: int, *, shown: bool, agreed: bool) -> Iterator[_Ceiling]:
    """What the string says of one vendor: shown to the visitor, agreed to, not restricted."""
    if not shown:
        yield _Ceiling(Basis.VENDOR_NOT_DISCLOSED, _NOTHING)
    if not agreed:
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
