"""What the app was made with, handed to routes: the flows, and where publishers reach this server."""

from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
from anyio import CapacityLimiter
from fastapi import Depends, Request

from adserver.domain.campaign import Campaign
from adserver.domain.delivery import Delivery
from adserver.domain.installation import Installation
from adserver.domain.retention import Retention
from adserver.flows.arrivals import ArrivalReports
from adserver.flows.audience_sizes import AudienceSizeReports
from adserver.flows.audit_log import ReadAuditLog
from adserver.flows.campaign_days import CampaignDays
from adserver.flows.consents import ProveConsent
from adserver.flows.convert import Convert
from adserver.flows.funnel import FunnelReports
from adserver.flows.health import LookAtHealth
from adserver.flows.imports import RunImports
from adserver.flows.live_view import WatchLiveEvents
from adserver.flows.manage import Manage
from adserver.flows.network import ManageNetwork
from adserver.flows.network_totals import LookAtNetwork
from adserver.flows.notify import Notify
from adserver.flows.outlook import Outlooks
from adserver.flows.picture import PictureReports
from adserver.flows.pixel_doctor import PixelDoctor
from adserver.flows.postback import Postback
from adserver.flows.preview import Preview
from adserver.flows.prove import Prove
from adserver.flows.recognise import Recognise
from adserver.flows.redeem import Redeem
from adserver.flows.refusals import CountRefusals
from adserver.flows.relay import Relay
from adserver.flows.replay import Replay
from adserver.flows.report import Reports
from adserver.flows.serve.explain import Explain
from adserver.flows.serve.try_slot import TrySlot
from adserver.flows.shops import Shops
from adserver.flows.statement import AdvertiserStatements, Earnings, Ports, PublisherStatements
from adserver.flows.suspects import FindSuspects
from adserver.flows.upload import Upload
from adserver.ports import Clock, Signer, Stores
from adserver.web.settings import Setting

MOST_IMPORTS_AT_ONCE = 2
PREVIEWS_AT_ONCE = 1  # slots wait for the same children that draw
PINGS_AT_ONCE = 4
KEPT_AS_USUAL = Retention()
UPLOADS_AT_ONCE = 2  # as many as there are processes that decode


class Books(msgspec.Struct, frozen=True):
    """The ledger as its parties read it."""

    prove: Prove
    advertisers: AdvertiserStatements
    publishers: PublisherStatements
    earnings: Earnings
    reports: Reports


def books_of(
    stores: Stores, signer: Signer, clock: Clock, timezone: str, retention: Retention = KEPT_AS_USUAL
) -> Books:
    """`timezone` is the network's, in which publishers are paid."""
    names = Ports(stores.accounts, stores.campaigns, stores.inventory, stores.catalogue, stores.origins)
    publishers = PublisherStatements(stores.payouts, stores.holds, names, clock, timezone)
    return Books(
        Prove(stores.proofs, signer),
        AdvertiserStatements(stores.statements, stores.proofs, names, clock),
        publishers,
        Earnings(publishers, stores.inventory, stores.stats),
        Reports(stores, clock, timezone, retention),
    )


class Decisions(msgspec.Struct, frozen=True):
    """How decisions are made, for those who ask why."""

    explain: Explain
    refusals: CountRefusals
    replay: Replay
    try_slot: TrySlot
    days: CampaignDays
    outlooks: Outlooks


class Operations(msgspec.Struct, frozen=True):
    """What the operator looks at."""

    totals: LookAtNetwork
    suspects: FindSuspects
    audit_log: ReadAuditLog
    health: LookAtHealth
    settings: Sequence[Setting]


def operations_of(
    stores: Stores,
    manage: Manage,
    timezone: str,
    examine: Callable[[], Installation],
    settings: Sequence[Setting],
) -> Operations:
    """`examine` looks at the installation, as `adserver doctor` does."""

    def deliveries(campaigns: Sequence[Campaign]) -> list[Delivery]:
        return [one.delivery for one in manage.campaigns.standings(campaigns)]

    return Operations(
        LookAtNetwork(stores, manage.clock, timezone, deliveries),
        FindSuspects(stores.stats, stores.campaigns, stores.inventory, manage.clock),
        ReadAuditLog(stores.audit_log, stores.stats, manage.clock),
        LookAtHealth(stores, manage.clock, examine),
        settings,
    )


class Flows(msgspec.Struct, frozen=True):
    """Everything that routes need; `*_turns` keep what is slow from taking all the threads."""

    manage: Manage
    convert: Convert
    imports: RunImports
    notify: Notify
    shops: Shops
    pixel_doctor: PixelDoctor
    live_view: WatchLiveEvents
    recognise: Recognise
    arrivals: ArrivalReports
    audience_sizes: AudienceSizeReports
    funnel: FunnelReports
    pictures: PictureReports
    relay: Relay
    consents: ProveConsent
    postback: Postback
    preview: Preview
    redeem: Redeem
    network: ManageNetwork
    books: Books
    decisions: Decisions
    upload: Upload
    operations: Operations
    base_url: str
    tcf_vendor_id: int | None = None  # ours on the IAB's vendor list, by which ad managers tell consent
    import_turns: CapacityLimiter = msgspec.field(
        default_factory=lambda: CapacityLimiter(MOST_IMPORTS_AT_ONCE)
    )
    upload_turns: CapacityLimiter = msgspec.field(default_factory=lambda: CapacityLimiter(UPLOADS_AT_ONCE))
    preview_turns: CapacityLimiter = msgspec.field(default_factory=lambda: CapacityLimiter(PREVIEWS_AT_ONCE))
    ping_turns: CapacityLimiter = msgspec.field(default_factory=lambda: CapacityLimiter(PINGS_AT_ONCE))


def flows_of(request: Request) -> Flows:
    flows: Flows = request.app.state.flows
    return flows


def _manage(request: Request) -> Manage:
    return flows_of(request).manage


CurrentFlows = Annotated[Flows, Depends(flows_of)]
CurrentManage = Annotated[Manage, Depends(_manage)]
