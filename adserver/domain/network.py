"""Who runs the network, as its operator has said, and how far its first run has come."""

from enum import StrEnum

import msgspec

from pixel.consent import Region

NETWORK_KEY = 1  # there is but one


class ConsentTool(StrEnum):
    """How pages tell what their visitors allow."""

    TCF = "tcf"  # IAB Europe's, or GPP: strings that name us by our vendor id
    CONSENT_MODE = "consent_mode"  # Google's
    OWN = "own"  # the page says so itself: rt('consent', {...})
    NONE = "none"


class Network(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What the operator has told. Currency, country and time zone are those of new accounts."""

    key: int = NETWORK_KEY
    name: str = ""
    country: str = ""
    currency: str = ""
    timezone: str = ""
    consent_tool: ConsentTool | None = None
    tcf_vendor_id: int | None = None  # as told; the server goes by its environment
    skips_region_file: bool = False
    backs_up: bool = False  # says the operator: no server sees its own backups
    hides_checks: bool = False
    version: int = 0  # nothing was told yet
    created_at_ms: int = 0


class Check(StrEnum):
    """What shows that a network works, in the order in which it usually happens."""

    TAG = "tag"
    PRODUCTS = "products"
    CAMPAIGN = "campaign"
    AD = "ad"
    CLICK = "click"
    CONVERSION = "conversion"
    BACKUP = "backup"


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """How the server runs, by its environment."""

    base_url: str
    default_region: Region
    timezone: str
    folder: str
    has_region_file: bool = False
    tcf_vendor_id: int | None = None


class Line(msgspec.Struct, frozen=True):
    """A line for the environment; `holds` once the server has been started with it."""

    setting: str
    value: str
    holds: bool

    @property
    def text(self) -> str:
        return f"{self.setting}={self.value}"


def identity_lines(network: Network, running: Running, region: Region) -> list[Line]:
    """What who-you-are asks of the environment; `region` is how the network's country reads silence."""
    is_public = running.base_url.startswith("https://")
    address = running.base_url if is_public else "https://cards.example.com"
    lines = [Line("ADSERVER_BASE_URL", address, is_public)]
    if network.timezone:
        lines.append(Line("ADSERVER_TIMEZONE", network.timezone, running.timezone == network.timezone))
    if network.country and region is Region.STRICT:
        holds = running.default_region is Region.STRICT
        lines.append(Line("ADSERVER_DEFAULT_REGION", region.value, holds))
    return lines


def consent_lines(network: Network, running: Running) -> list[Line]:
    if network.consent_tool is not ConsentTool.TCF or network.tcf_vendor_id is None:
        return []
    holds = running.tcf_vendor_id == network.tcf_vendor_id
    return [Line("ADSERVER_TCF_VENDOR_ID", str(network.tcf_vendor_id), holds)]


def region_lines(running: Running, found: tuple[str, ...]) -> list[Line]:
    """With the file that lies in the data folder, where one does."""
    path = found[0] if found else f"{running.folder}/GeoLite2-Country.mmdb"
    return [Line("ADSERVER_GEOIP_PATH", path, running.has_region_file)]
