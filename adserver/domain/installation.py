"""An installation as it is found becomes findings: what keeps it from working, and what to do."""

from collections.abc import Callable, Iterable, Iterator
from urllib.parse import urlsplit

import msgspec

from adserver.domain.catalogue import Feed
from adserver.domain.finding import Finding, Severity
from adserver.domain.identity import write_id
from adserver.domain.pixel_doctor import feed_trouble

MB = 1_000_000
LITTLE_BYTES, TOO_LITTLE_BYTES = 2_000 * MB, 250 * MB
LARGE_LOG_BYTES = 1_000 * MB
DAY_MS = 86_400_000
OLD_KEYS_MS = 400 * DAY_MS
SKEW_MS, GREAT_SKEW_MS = 5_000, 60_000
DEAD_LEASE_MS = 60_000  # the busiest jobs renew theirs every few seconds
FEW_FILES, TOO_FEW_FILES = 4_096, 1_024
BLOCKED_LABELS = frozenset({"ad", "ads", "adserver", "banner", "banners", "promo"})  # by filter lists


class Answered(msgspec.Struct, frozen=True):
    """What came back from the base URL; `skew_ms` is how far ahead of its clock ours is."""

    is_ours: bool = False
    skew_ms: int | None = None
    fault: str | None = None  # why nothing came


class Database(msgspec.Struct, frozen=True):
    """The database as it can be read now; `fault` says why it cannot."""

    fault: str | None = None
    version: str | None = None
    newest_version: str | None = None
    bytes: int = 0
    log_bytes: int = 0
    leased_until_ms: int = 0  # by the jobs
    feeds: tuple[Feed, ...] = ()


class KeyFile(msgspec.Struct, frozen=True):
    """The file of the server's secrets, not what is in it."""

    is_private: bool
    age_ms: int


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the findings depend on."""

    now_ms: int
    base_url: str
    default_region: str
    folder: str
    open_files: int
    has_geoip: bool = False
    geoip_fault: str | None = None
    tcf_vendor_id: int | None = None
    scripts_without_font: tuple[str, ...] = ()
    unreadable_fonts: tuple[str, ...] = ()
    folder_fault: str | None = None  # why nothing can be written there
    folder_skew_ms: int = 0
    free_bytes: int = 0
    is_serving: bool = False
    database: Database | None = None
    keys: KeyFile | None = None
    answered: Answered = Answered()


def inspect(found: Installation) -> list[Finding]:
    """What is wrong, errors first."""
    findings = [finding for check in _CHECKS for finding in check(found)]
    return sorted(findings, key=lambda one: list(Severity).index(one.severity))


def is_healthy(findings: Iterable[Finding]) -> bool:
    return all(finding.severity is not Severity.ERROR for finding in findings)


def facts_in_words(found: Installation) -> Iterator[str]:
    """What was looked at, a line each."""
    database = found.database
    yield f"data folder  {found.folder}, {found.free_bytes // MB:,} MB free"
    if database is not None and database.fault is None:
        log = f"its log {database.log_bytes // MB:,} MB"
        yield f"database     version {database.version}, {database.bytes // MB:,} MB, {log}"
    yield f"server       {'running' if found.is_serving else 'not running'}"
    cookie = "Secure, with the __Host- prefix" if found.base_url.startswith("https:") else "for development"
    yield f"base URL     {found.base_url}, cookie {cookie}"
    yield f"region       {'by address' if found.has_geoip else found.default_region}"
    if database is not None:
        yield f"feeds        {len(database.feeds)}"


# ---- what it stands on ----


def _folder(found: Installation) -> Iterator[Finding]:
    if found.folder_fault is not None:
        message = f"{found.folder} cannot be written to ({found.folder_fault}): give it to the server's user."
        yield Finding("folder_not_writable", Severity.ERROR, message)
    elif found.free_bytes < LITTLE_BYTES:
        severity = Severity.ERROR if found.free_bytes < TOO_LITTLE_BYTES else Severity.WARNING
        message = (
            f"Only {found.free_bytes // MB:,} MB are free at {found.folder}: a full disk takes no event."
        )
        yield Finding("little_space", severity, message, {"free_bytes": found.free_bytes})


def _database(found: Installation) -> Iterator[Finding]:
    database = found.database
    if database is None:
        yield Finding(
            "no_database", Severity.ERROR, "There is no database yet: run `adserver migrate` or `serve`."
        )
    elif database.fault is not None:
        message = (
            f"The database cannot be read: {database.fault}. Stop the server and restore a backup of it."
        )
        yield Finding("database_unreadable", Severity.ERROR, message)
    elif database.version != database.newest_version:
        message = (
            f"The tables are of version {database.version}, and this program's of {database.newest_version}:"
            " stop the server and run `adserver migrate`, or run the program that made them."
        )
        yield Finding("not_migrated", Severity.ERROR, message)
    if database is not None and database.log_bytes > LARGE_LOG_BYTES:
        message = (
            f"The database's log has {database.log_bytes // MB:,} MB: something reads the file for a long"
            " time, such as a backup that hangs. End it, or start the server anew."
        )
        yield Finding("large_log", Severity.WARNING, message, {"log_bytes": database.log_bytes})


def _keys(found: Installation) -> Iterator[Finding]:
    if found.keys is None:
        return
    if not found.keys.is_private:
        message = "keys.json can be read by others, who could forge cookies and clicks: `chmod 600` it."
        yield Finding("keys_not_private", Severity.ERROR, message)
    if found.keys.age_ms > OLD_KEYS_MS:
        message = (
            "The keys in keys.json are more than a year old. Add a new number with 64 random hexadecimal"
            " digits to `tokens` and `cookies`, name it in `current`, and start the server anew; the old ones"
            " stay valid."
        )
        yield Finding("keys_old", Severity.INFO, message, {"age_days": found.keys.age_ms // DAY_MS})


def _open_files(found: Installation) -> Iterator[Finding]:
    if found.open_files < FEW_FILES:
        severity = Severity.WARNING if found.open_files < TOO_FEW_FILES else Severity.INFO
        message = (
            f"{found.open_files} files may be open at once (the hard limit of this shell, to which the server"
            " raises its own), and each connection is one: raise it, by `ulimit -Hn` or LimitNOFILE."
        )
        yield Finding("few_open_files", severity, message, {"open_files": found.open_files})


# ---- whether it works ----


def _server(found: Installation) -> Iterator[Finding]:
    if not found.is_serving:
        yield Finding("not_serving", Severity.INFO, "No server is running over this data folder.")
        return
    until_ms = found.database.leased_until_ms if found.database is not None else 0
    if found.now_ms > until_ms + DEAD_LEASE_MS:
        message = (
            "A server runs, and no jobs do: orders are not credited and feeds not fetched. Run `adserver"
            " work`."
        )
        yield Finding("no_jobs", Severity.ERROR, message)


def _base_url(found: Installation) -> Iterator[Finding]:
    parts = urlsplit(found.base_url)
    host = parts.hostname or ""
    if _is_local(host):
        message = (
            f"{found.base_url} is this machine: set ADSERVER_BASE_URL to where browsers reach the server."
        )
        yield Finding("local_base_url", Severity.INFO, message)
    elif parts.scheme != "https":
        message = (
            "ADSERVER_BASE_URL is not https: without it the visitor's cookie has neither Secure nor the"
            " __Host- prefix, and browsers send it on no other site. Put a proxy that speaks TLS in front."
        )
        yield Finding("not_https", Severity.ERROR, message)
    if host.partition(".")[0] in BLOCKED_LABELS:
        message = (
            f"Filter lists block hosts named like {host} for everybody: choose another name, such as cards."
        )
        yield Finding("blocked_host_name", Severity.WARNING, message)


def _is_local(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1") or host.endswith(".localhost")


def _reached(found: Installation) -> Iterator[Finding]:
    answered, severity = found.answered, Severity.WARNING if found.is_serving else Severity.INFO
    if answered.fault is not None:
        message = f"{found.base_url} does not answer from here: {answered.fault}."
        yield Finding("not_reached", severity, message)
    elif not answered.is_ours:
        message = f"Something else answers at {found.base_url}: see where its name and the proxy lead."
        yield Finding("other_server", severity, message)


def _clock(found: Installation) -> Iterator[Finding]:
    skews = {"the file system": found.folder_skew_ms, found.base_url: found.answered.skew_ms or 0}
    for whose, skew_ms in skews.items():
        if abs(skew_ms) > SKEW_MS:
            severity = Severity.ERROR if abs(skew_ms) > GREAT_SKEW_MS else Severity.WARNING
            message = f"Our clock is {skew_ms / 1000:+.0f} s off that of {whose}: have NTP set both."
            yield Finding("clock_skew", severity, message, {"skew_seconds": skew_ms / 1000})


# ---- what is read, and from where ----


def _region(found: Installation) -> Iterator[Finding]:
    if found.geoip_fault is not None:
        yield Finding("geoip_unreadable", Severity.ERROR, f"ADSERVER_GEOIP_PATH: {found.geoip_fault}.")
    elif not found.has_geoip and found.default_region == "strict":
        message = (
            "Without ADSERVER_GEOIP_PATH all visitors are taken to be where silence is a no: only events with"
            " a consent signal are kept."
        )
        yield Finding("region_strict", Severity.INFO, message)
    elif not found.has_geoip:
        message = (
            "Without ADSERVER_GEOIP_PATH all visitors are taken to be outside the EEA, the UK and"
            " Switzerland, and silence for a yes (ADSERVER_DEFAULT_REGION=open): where that may be wrong, set"
            " one or the other."
        )
        yield Finding("region_open", Severity.WARNING, message)
    if found.tcf_vendor_id is None:
        message = (
            "Without ADSERVER_TCF_VENDOR_ID no TCF string can speak of us: pages assert consent by the tag."
        )
        yield Finding("no_vendor_id", Severity.INFO, message)


def _fonts(found: Installation) -> Iterator[Finding]:
    for path in found.unreadable_fonts:
        message = f"{path} is no font that can be read: take it out of the folder ADSERVER_FONTS names."
        yield Finding("font_unreadable", Severity.WARNING, message)
    if found.scripts_without_font:
        message = (
            f"No font draws {', '.join(found.scripts_without_font)}: image creatives leave such letters out."
            " Where you have products in them, install Debian's fonts-noto-core, or put fonts into a folder"
            " and name it in ADSERVER_FONTS (docs/images.md)."
        )
        yield Finding("scripts_without_font", Severity.INFO, message)


def _feeds(found: Installation) -> Iterator[Finding]:
    """A merchant's feed does not make an installation ill."""
    for feed in found.database.feeds if found.database is not None else ():
        trouble = feed_trouble(feed, found.now_ms)
        if trouble is not None:
            owner, name = write_id("adv", feed.advertiser_key), write_id("feed", feed.key)
            message = f"{name} of {owner}: {trouble.message}"
            yield msgspec.structs.replace(trouble, severity=Severity.WARNING, message=message)


_CHECKS: Iterable[Callable[[Installation], Iterator[Finding]]] = (
    _folder,
    _database,
    _keys,
    _server,
    _base_url,
    _reached,
    _clock,
    _region,
    _fonts,
    _feeds,
    _open_files,
)
