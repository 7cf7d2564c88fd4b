"""The network as JSON: what its operator has told, how the server was started, and what has happened."""

from typing import Any, ClassVar

from msgspec.structs import replace
from pydantic import Field

from adserver.domain.network import Check, ConsentTool, Network, Running
from adserver.flows.network import Progress
from adserver.web.schemas.accounts import Timezone
from adserver.web.schemas.fields import Change, Country, Currency, Flag, Name, ShownTime, Strict
from pixel.consent import Region


class NetworkChange(Change):
    liftable: ClassVar[frozenset[str]] = frozenset({"tcf_vendor_id"})

    name: Name | None = None
    country: Country | None = Field(default=None, description="of new accounts, where nothing else is told")
    currency: Currency | None = None
    timezone: Timezone | None = None
    consent_tool: ConsentTool | None = None
    tcf_vendor_id: int | None = Field(default=None, ge=1, le=65_535)
    skips_region_file: Flag | None = None
    backs_up: Flag | None = None
    hides_checks: Flag | None = None

    def edit(self, network: Network) -> Network:
        given: dict[str, Any] = self.given()
        return replace(network, **given)


class RunningAnswer(Strict):
    """How the server was started: its environment is the only truth of these."""

    base_url: str
    default_region: Region
    timezone: str
    has_region_file: bool
    tcf_vendor_id: int | None


class NetworkAnswer(Strict):
    name: str
    country: str | None
    currency: str | None
    timezone: str | None
    consent_tool: ConsentTool | None
    tcf_vendor_id: int | None
    skips_region_file: bool
    backs_up: bool
    hides_checks: bool
    created_at: ShownTime | None
    running: RunningAnswer
    checks: dict[Check, bool]


def show_network(network: Network, running: Running, progress: Progress) -> NetworkAnswer:
    return NetworkAnswer(
        name=network.name,
        country=network.country or None,
        currency=network.currency or None,
        timezone=network.timezone or None,
        consent_tool=network.consent_tool,
        tcf_vendor_id=network.tcf_vendor_id,
        skips_region_file=network.skips_region_file,
        backs_up=network.backs_up,
        hides_checks=network.hides_checks,
        created_at=network.created_at_ms or None,
        running=RunningAnswer(
            base_url=running.base_url,
            default_region=running.default_region,
            timezone=running.timezone,
            has_region_file=running.has_region_file,
            tcf_vendor_id=running.tcf_vendor_id,
        ),
        checks={check: check in progress.reached for check in Check},
    )
