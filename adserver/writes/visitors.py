"""What may be written of visitors' wishes, and what leaves by age."""

from enum import StrEnum

import msgspec

from adserver.domain.audience_reach import Panel
from adserver.domain.census import GroupCount
from adserver.domain.consent_record import Ended
from adserver.domain.funnel import Cell, Exit, Journey, JourneyKey
from adserver.domain.visitor import Preference


class Aged(StrEnum):
    """What leaves by its age; of the ad's rows and the conversions only the visitor leaves."""

    EVENTS = "events"
    PROFILES = "profiles"
    AD_EVENTS = "ad_events"
    DECISIONS = "decisions"
    DECISION_SAMPLES = "decision_samples"
    CONVERSIONS = "conversions"
    NOTICES = "notices"
    REFUSED_CHARGES = "refused_charges"
    COUNTS = "counts"
    ARRIVALS = "arrivals"
    PIXEL_SAMPLES = "pixel_samples"
    LIVE_EVENTS = "live_events"
    LIVE_WATCHES = "live_watches"
    ERASURES = "erasures"
    CONSENTS = "consents"
    OFFER_CODES = "offer_codes"
    SESSIONS = "sessions"
    CONSOLE_SESSIONS = "console_sessions"
    LOGIN_ATTEMPTS = "login_attempts"
    GHOSTS = "ghosts"
    EXPERIMENT_VISITORS = "experiment_visitors"
    EXPERIMENT_ORDERS = "experiment_orders"
    EXPERIMENT_SUMS = "experiment_sums"
    JOURNEYS = "journeys"
    FUNNEL_FIGURES = "funnel_figures"
    FUNNEL_EXITS = "funnel_exits"
    FUNNEL_EXITS_OF_FEW = "funnel_exits_of_few"
    SUPPRESSED = "suppressed"
    AUDIT_LOG = "audit_log"
    REPORT_PARTS = "report_parts"


class PurgeAged(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Let go of at most so many rows whose time came by `before_ms`; the figure is how many they were.

    Events, profiles and journeys carry their own due time, for which `before_ms` is now; the others are that
    old.
    """

    what: Aged
    before_ms: int
    most: int


class ForgetVisitor(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Erase everything that holds the visitor; amounts stay in the ledger, without the visitor.

    What is kept is the receipt (0 where nobody is handed one), and a digest of the visitor, so that a beacon
    or page that was under way does not bring them back. `if_credited`: UNCREDITED, and nothing is erased,
    while an order or lead of theirs waits for attribution, which asks what they saw and clicked.
    """

    visitor_key: int
    receipt_key: int
    at_ms: int
    because: Ended = Ended.FORGOTTEN
    if_credited: bool = False


class Withdraw(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Erase what one advertiser has of the visitor, who said no on its pages; others keep theirs.

    FORGOTTEN where nothing is left of the visitor, so that the id itself is erased as in ForgetVisitor;
    `if_credited` as there.
    """

    visitor_key: int
    advertiser_key: int
    at_ms: int
    if_credited: bool = False


class TellPreference(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A visitor's wish about an ad: not this product, I bought it, not this shop."""

    visitor_key: int
    advertiser_key: int
    preference: Preference
    product_key: int
    at_ms: int


class SeenAtSlot(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """That a visitor was at one of our slots, with an ad or without: told once a day, for the reach."""

    visitor_key: int
    at_ms: int


class SaveAudienceSizes(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """An advertiser's visitors as they were counted, instead of what was counted before."""

    advertiser_key: int
    panel: Panel
    groups: tuple[GroupCount, ...]


class RollFunnel(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What the events after one key, up to another, change of the funnel; CONFLICT where they were taken in.

    A journey is kept only while its newest event is: whoever was erased meanwhile does not come back.
    """

    after: int
    until: int
    at_ms: int
    journeys: tuple[tuple[JourneyKey, Journey], ...]
    figures: tuple[tuple[Cell, int, int], ...]  # visitors and events to add
    exits: tuple[tuple[Exit, int], ...]
