"""What the operator looks at as JSON: totals, suspects, jobs, the audit log, settings and health."""

from typing import Annotated

from msgspec.structs import asdict
from pydantic import Field, StringConstraints

from adserver.domain.audit_log import Action, ActorKind, Asked, Entry
from adserver.domain.finding import Severity
from adserver.domain.health import Health
from adserver.domain.identity import LARGEST_KEY, read_id, write_id
from adserver.domain.job_run import JobRun
from adserver.domain.network_totals import Period, Totals
from adserver.domain.suspects import Suspect
from adserver.flows.audit_log import LogIns
from adserver.flows.suspects import Suspects
from adserver.web.schemas.fields import ShownTime, Strict

PREFIXES = {
    "Advertiser": "adv",
    "Publisher": "pub",
    "Site": "site",
    "Slot": "slot",
    "Campaign": "cmp",
    "Creative": "crv",
    "Audience": "aud",
    "ProductSet": "set",
    "OfferPool": "pool",
    "Experiment": "exp",
    "SuppressionList": "sup",
    "Feed": "feed",
    "ApiKey": "key",
    "Charge": "chg",
    "PayoutHold": "hold",
    "SavedReport": "rep",
    "Network": "net",
    "ShopHook": "hook",
    "User": "user",
    "Invitation": "inv",
}
_KINDS = {prefix: kind for kind, prefix in PREFIXES.items()}


# ---- totals ----


class MoneyAnswer(Strict):
    currency: str
    spend_micros: int = Field(description="charged, less what went back")
    publishers_micros: int
    margin_micros: int = Field(description="what is left for the network")


class PeriodAnswer(Strict):
    name: str = Field(description="`today`, `yesterday` or `seven_days`, which is with today")
    from_: ShownTime = Field(serialization_alias="from")
    to: ShownTime
    requests: int
    fills: int
    impressions: int
    viewable_impressions: int
    clicks: int
    conversions: int
    money: list[MoneyAnswer] = Field(description="one of each currency; they are never added")


class AttentionAnswer(Strict):
    """How many of each wait for somebody's hand."""

    creatives_waiting: int
    feeds_failing: int
    pixels_silent: int = Field(description="advertisers with a live campaign and no event for a day")
    campaigns_out_of_budget: int
    campaigns_of_empty_accounts: int
    jobs_failing: int
    holds_open: int
    disk_free_bytes: int


class TotalsAnswer(Strict):
    timezone: str
    periods: list[PeriodAnswer]
    attention: AttentionAnswer


def show_totals(totals: Totals) -> TotalsAnswer:
    return TotalsAnswer(
        timezone=totals.timezone,
        periods=[_period(one) for one in totals.periods],
        attention=AttentionAnswer(**asdict(totals.attention)),
    )


def _period(period: Period) -> PeriodAnswer:
    money = [
        MoneyAnswer(
            currency=one.currency,
            spend_micros=one.spend,
            publishers_micros=one.publishers,
            margin_micros=one.margin,
        )
        for one in period.money
    ]
    return PeriodAnswer(
        name=period.name, from_=period.start_ms, to=period.end_ms, money=money, **period.counts
    )


# ---- suspects ----


class SuspectDayAnswer(Strict):
    day: ShownTime
    impressions: int
    clicks: int
    suspect: int
    reasons: dict[str, int]


class SuspectAnswer(Strict):
    id: str
    suspect: int = Field(description="of all the days together")
    odd: bool
    much_suspect: list[ShownTime] = Field(description="days with far more suspect traffic than usual here")
    many_clicks: list[ShownTime] = Field(description="days with far more clicks for each impression")
    days: list[SuspectDayAnswer]


class SuspectsAnswer(Strict):
    """The oddest first; those of whom nothing is suspect or odd are left out."""

    since: ShownTime
    campaigns: list[SuspectAnswer]
    slots: list[SuspectAnswer]
    publishers: list[SuspectAnswer]


def show_suspects(found: Suspects) -> SuspectsAnswer:
    return SuspectsAnswer(
        since=found.since_ms,
        campaigns=[_suspect("cmp", one) for one in found.campaigns],
        slots=[_suspect("slot", one) for one in found.slots],
        publishers=[_suspect("pub", one) for one in found.publishers],
    )


def _suspect(prefix: str, found: Suspect) -> SuspectAnswer:
    return SuspectAnswer(
        id=write_id(prefix, found.owner_key),
        suspect=found.suspect,
        odd=found.is_odd,
        much_suspect=list(found.much_suspect),
        many_clicks=list(found.many_clicks),
        days=[
            SuspectDayAnswer(
                day=day.start_ms,
                impressions=day.impressions,
                clicks=day.clicks,
                suspect=day.suspect,
                reasons=dict(day.reasons),
            )
            for day in found.days
        ],
    )


# ---- jobs ----


class JobAnswer(Strict):
    name: str
    interval_ms: int
    last_run_at: ShownTime | None
    took_ms: int
    did: int = Field(description="how much the last run did")
    last_did_at: ShownTime | None = Field(description="when a run last did anything")
    last_did: int
    failed_at: ShownTime | None
    failure: str
    failing: bool = Field(description="whether its newest run failed")
    late: bool


class JobsAnswer(Strict):
    items: list[JobAnswer]


def show_jobs(runs: list[JobRun], now_ms: int) -> JobsAnswer:
    return JobsAnswer(
        items=[
            JobAnswer(
                name=one.name,
                interval_ms=one.interval_ms,
                last_run_at=one.began_ms or None,
                took_ms=one.took_ms,
                did=one.did,
                last_did_at=one.did_ms or None,
                last_did=one.last_did,
                failed_at=one.failed_ms or None,
                failure=one.failure,
                failing=one.fails,
                late=one.is_late(now_ms),
            )
            for one in runs
        ]
    )


# ---- the audit log ----

Word = Annotated[str, StringConstraints(max_length=200)]


class AuditQuery(Strict):
    entity_id: Word | None = Field(default=None, description="such as `cmp_...`")
    actor: Word | None = Field(default=None, description="part of a user's address or of a key's name")
    kind: Word | None = Field(default=None, description="such as `Campaign`")
    action: Action | None = None
    limit: int = Field(default=50, ge=1, le=500)
    before: int | None = Field(default=None, ge=0, le=LARGEST_KEY, description="`number` of a line")

    def asked(self) -> Asked | None:
        """None where the entity's id is no id."""
        key, kind = None, self.kind
        if self.entity_id is not None:
            prefix = self.entity_id.partition("_")[0]
            key = read_id(prefix, self.entity_id)
            if key is None or prefix not in _KINDS:
                return None
            kind = _KINDS[prefix]
        return Asked(self.before, self.actor or None, kind or None, key, self.action)


class ActorAnswer(Strict):
    kind: ActorKind
    id: str | None
    name: str


class DifferenceAnswer(Strict):
    field: str
    before: str | None = Field(description="as JSON, cut where it is long; `•••` for a secret")
    after: str | None


class EntryAnswer(Strict):
    number: int
    at: ShownTime
    actor: ActorAnswer
    action: Action
    kind: str
    entity_id: str
    name: str
    changes: list[DifferenceAnswer]


class LogInsAnswer(Strict):
    """Of the last seven days."""

    right: int
    failed: int
    held_up: int = Field(description="not tried, since there were too many before")


class AuditAnswer(Strict):
    items: list[EntryAnswer]
    next_before: int | None = Field(description="give it as `before`; null on the last page")
    log_ins: LogInsAnswer


def show_audit(entries: list[Entry], limit: int, log_ins: LogIns) -> AuditAnswer:
    """Of one entry more than was asked for."""
    shown = entries[:limit]
    return AuditAnswer(
        items=[_entry(one) for one in shown],
        next_before=shown[-1].number if len(entries) > limit else None,
        log_ins=LogInsAnswer(**asdict(log_ins)),
    )


def entity_id(entry: Entry) -> str:
    return write_id(PREFIXES.get(entry.kind, entry.kind.lower()), entry.key)


def _entry(entry: Entry) -> EntryAnswer:
    actor = entry.actor
    prefix = {ActorKind.USER: "user", ActorKind.KEY: "key"}.get(actor.kind)
    return EntryAnswer(
        number=entry.number,
        at=entry.at_ms,
        actor=ActorAnswer(
            kind=actor.kind, id=write_id(prefix, actor.key) if prefix else None, name=actor.name
        ),
        action=entry.action,
        kind=entry.kind,
        entity_id=entity_id(entry),
        name=entry.name,
        changes=[DifferenceAnswer(**asdict(one)) for one in entry.differences],
    )


# ---- settings and health ----


class SettingAnswer(Strict):
    name: str
    value: str
    is_default: bool
    meaning: str


class SettingsAnswer(Strict):
    items: list[SettingAnswer]


class FindingAnswer(Strict):
    code: str
    severity: Severity
    message: str


class HealthAnswer(Strict):
    """What `adserver doctor` says, and how the server is at this moment."""

    healthy: bool
    findings: list[FindingAnswer]
    free_bytes: int
    database_bytes: int
    log_bytes: int
    version: str | None
    newest_version: str | None
    writer_records: bool
    writer_waiting: int
    effect_lag_ms: int | None = Field(description="so soon were 99 of 100 of today's effects seen")
    clock_skew_ms: int | None = Field(description="of ours against the base URL's; null: it was not told")
    keys_age_days: int | None


def show_health(health: Health) -> HealthAnswer:
    return HealthAnswer(
        healthy=health.is_healthy,
        findings=[
            FindingAnswer(code=one.code, severity=one.severity, message=one.message)
            for one in health.findings
        ],
        **{name: getattr(health, name) for name in HealthAnswer.model_fields if name not in _JUDGED},
    )


_JUDGED = ("healthy", "findings")
