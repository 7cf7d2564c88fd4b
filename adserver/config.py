"""Settings, read once from the environment; each is documented in the README."""

import math
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from adserver.domain.audit_log import AUDIT_RETENTION_DAYS
from adserver.domain.peace import MOST_DAILY_ADS, PeacePolicy
from adserver.domain.retention import CONSENT_PROOF_RETENTION_DAYS, Retention
from adserver.domain.sensitive import HOUSE_LIST
from adserver.domain.validity import Limits
from adserver.domain.visitor import DAY_MS, MOST_SHOWN
from pixel.consent import Region


def _words(value: object) -> object:
    """`a, b c` from the environment becomes a tuple of words."""
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def _entries(value: object) -> object:
    """`Mature >, sex toys` from the environment becomes a tuple of entries, which may have spaces."""
    return tuple(one.strip() for one in value.split(",") if one.strip()) if isinstance(value, str) else value


def _rates(value: object) -> object:
    """`EUR=1, USD=0.92` becomes a table of numbers."""
    if not isinstance(value, str):
        return value
    pairs = [pair.split("=", 1) for pair in value.replace(",", " ").split()]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("currencies and their worth, such as EUR=1, USD=0.92")
    return dict(pairs)


def _lower(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word.lower() for word in words)


def _countries(words: tuple[str, ...]) -> tuple[str, ...]:
    for word in words:
        if not (len(word) == 2 and word.isascii() and word.isalpha()):
            raise ValueError(f"{word}: countries are two letters, such as BR, IN")
    return tuple(word.upper() for word in words)


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
ExchangeRates = Annotated[dict[str, float], NoDecode, BeforeValidator(_rates)]


METRICS_HERE = "same"  # among the other addresses, with an operator's key
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


class Settings(BaseSettings):
    """`ADSERVER_<NAME>` in the environment sets `<name>`."""

    model_config = SettingsConfigDict(env_prefix="ADSERVER_", extra="forbid")

    data_dir: Path = Path("data")
    database_url: str = ""  # empty: the SQLite file in data_dir
    base_url: str = "http://127.0.0.1:8000"
    hosts: Annotated[
        Words, AfterValidator(_lower)
    ] = ()  # Host headers that are answered, besides base_url's and loopback
    trusted_proxies: Words = ()  # addresses or networks whose X-Forwarded-* are believed
    default_region: Region = Region.STRICT
    loopback_region: Region | None = None  # of visitors on this machine; the demo's is open
    house_url: str = ""  # where a click leads when its ad is unknown; empty: base_url
    debug_headers: bool = False  # whether debug=1 is answered with X-Event and X-Charge
    click_delay_ms: int = Field(default=300, ge=0)  # a click sooner than this after the ad is suspect
    robots_refused: bool = True
    geoip_path: Path | None = None  # a MaxMind database: where visitors are
    tcf_vendor_id: int | None = Field(default=None, ge=1, le=65_535)  # ours on the IAB's vendor list
    strict_countries: Annotated[Words, AfterValidator(_countries)] = ()  # besides the EEA, UK and CH
    sensitive_categories: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_entries)] = (
        HOUSE_LIST  # of which nobody is reminded
    )
    most_visitor_clicks: int = Field(default=5, ge=0)  # on one campaign's ads in an hour; 0: no limit
    most_visitor_events: int = Field(default=300, ge=0)  # in a minute
    most_network_clicks: int = Field(default=60, ge=0)  # of a /24 or /48 in a minute
    most_network_events: int = Field(default=6_000, ge=0)  # in a minute
    most_network_strangers: int = Field(default=2_000, ge=0)  # visitors first seen in an hour
    most_nameless_clicks: int = Field(default=20, ge=0)  # of a network on a campaign's ads, in an hour
    most_nameless_views: int = Field(default=2_000, ge=0)
    keep_views_days: int = Field(default=30, ge=1, le=30)
    keep_purchases_days: int = Field(default=180, ge=1, le=180)
    keep_forms_days: int = Field(default=14, ge=1, le=14)
    keep_ads_days: int = Field(default=35, ge=1, le=35)
    learn_from_visits: bool = True  # of visitors who let us remember them: what comes next at a shop
    keep_consent_proof_days: int = Field(default=CONSENT_PROOF_RETENTION_DAYS, ge=1)  # after it has ended
    keep_audit_log_days: int = Field(default=AUDIT_RETENTION_DAYS, ge=1)
    annoyance_budget: int = Field(default=12, ge=0, le=MOST_DAILY_ADS)  # ads a day for one visitor; 0: no end
    annoyance_limit: int = Field(default=MOST_DAILY_ADS, ge=1, le=MOST_DAILY_ADS)  # of advertisers' own
    advertiser_cap: int = Field(default=5, ge=0, le=MOST_SHOWN)  # ads a day of those with no cap of their own
    fatigue_views: int = Field(default=20, ge=0, le=MOST_SHOWN)  # of a campaign, without a click; 0: no end
    ranking_rates: ExchangeRates = {}
    fetch_private: bool = False  # whether feeds, pictures and webhooks may be at private addresses
    most_feed_products: int = Field(default=1_000_000, ge=1)
    approve_creatives: Literal["auto", "review"] = "review"  # those that advertisers make or change
    timezone: str = "UTC"  # of the network: whose months publishers are paid by
    metrics: str = ""  # where /metrics is answered: nowhere, `same`, or [HOST:]PORT
    fonts: Path | None = None  # a folder of fonts, for scripts that image creatives could not draw
    log_level: str = "info"
    test_mode: bool = False
    clock_offset_seconds: int = 0  # honoured in test mode only

    @field_validator("database_url")
    @classmethod
    def _embedded_only(cls, value: str) -> str:
        if value and not value.startswith("sqlite:///"):
            raise ValueError(
                "this version keeps everything in one SQLite file: use sqlite:///PATH or leave it empty"
            )
        return value

    @field_validator("house_url")
    @classmethod
    def _a_page(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or "\\" in value):
            raise ValueError("the address of a page, such as https://example.com/ads")
        return value

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise ValueError("an address such as https://cards.example.com, without a path")
        return value.rstrip("/")

    @field_validator("ranking_rates")
    @classmethod
    def _worth_something(cls, value: dict[str, float]) -> dict[str, float]:
        for currency, rate in value.items():
            if not (math.isfinite(rate) and rate > 0):
                raise ValueError(f"{currency}={rate}: a rate is a number above 0")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            try:
                ip_network(word, strict=False)
            except ValueError:
                raise ValueError(f"{word} is no address or network such as 10.0.0.0/8") from None
        return value

    @field_validator("metrics")
    @classmethod
    def _a_port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value in ("", METRICS_HERE) or (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
            return value if host or value in ("", METRICS_HERE) else f"127.0.0.1:{port}"
        raise ValueError("same, a port, or HOST:PORT")

    @field_validator("fonts")
    @classmethod
    def _a_folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError(f"{value} is no folder that can be read")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("an IANA name such as Europe/Paris")
        return value

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.lower() not in LOG_LEVELS:
            raise ValueError(f"one of {', '.join(LOG_LEVELS)}")
        return value.lower()

    @property
    def database_path(self) -> Path:
        if self.database_url:
            return Path(self.database_url.removeprefix("sqlite:///"))
        return self.data_dir / "adserver.db"

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """Where /metrics listens on a port of its own."""
        host, _, port = self.metrics.rpartition(":")
        return (host, int(port)) if host else None

    @property
    def retention(self) -> Retention:
        return Retention(
            self.keep_views_days * DAY_MS,
            self.keep_purchases_days * DAY_MS,
            self.keep_forms_days * DAY_MS,
            self.keep_ads_days * DAY_MS,
            self.keep_consent_proof_days * DAY_MS,
            self.keep_audit_log_days * DAY_MS,
        )

    @property
    def peace(self) -> PeacePolicy:
        return PeacePolicy(
            self.annoyance_budget, self.annoyance_limit, self.advertiser_cap, self.fatigue_views
        )

    @property
    def limits(self) -> Limits:
        return Limits(
            self.most_visitor_clicks,
            self.most_visitor_events,
            self.most_network_clicks,
            self.most_network_events,
            self.most_network_strangers,
            self.most_nameless_clicks,
            self.most_nameless_views,
        )

    @property
    def secure(self) -> bool:
        """Whether visitors reach us over HTTPS, which decides the cookies' names and attributes."""
        return self.base_url.startswith("https:")
