"""What commands and workers are given beside the server itself."""

import logging
import resource
import secrets
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import Any

from adserver.config import Settings
from adserver.domain.campaign import Refusal
from adserver.domain.feed_file import FeedLimits
from adserver.domain.installation import Installation
from adserver.domain.network import Running
from adserver.domain.retention import Retention
from adserver.domain.snapshot import Snapshot
from adserver.domain.tally import Tally
from adserver.flows.feed import ImportFeed
from adserver.flows.imports import RunImports
from adserver.flows.manage.keys import PREFIX, digest_of
from adserver.flows.network import ManageNetwork
from adserver.flows.refresh import Refresh
from adserver.flows.replay import Edit, NoReplay, Replay, Replayed
from adserver.flows.users import ManageUsers
from adserver.outside.clock import KeyMint, system_clock
from adserver.outside.fetcher import HttpFetcher
from adserver.outside.geo import GeoFile, GeoUnreadable
from adserver.outside.pictures import look_for_fonts
from adserver.outside.reach import reach
from adserver.ports import Clock
from adserver.storage import checkup
from adserver.storage.batch import DEFAULT_RETENTION
from adserver.storage.embedded import Storage, join_storage, open_storage, own_storage
from adserver.storage.newest import NewestChange
from adserver.storage.reading import ReadOnly
from adserver.storage.writer import FileOwned
from adserver.web.settings import HIDDEN, Setting
from adserver.writes import ApiKey, Result, SaveEntity, Scope

__all__ = [
    "NewestChange",
    "NotMigrated",
    "create_operator_key",
    "examine_installation",
    "imports_beside",
    "join_storage",
    "open_storage",
    "replay_database",
    "sole_storage",
    "system_clock",
    "tell_region",
    "users_beside",
]

log = logging.getLogger("adserver")

COMMAND_WORKER = 254  # whose keys no worker and no job mints


MOST_KEY = 2**63


def imports_of(
    settings: Settings,
    storage: Storage,
    fetcher: HttpFetcher,
    clock: Clock,
    mint_key: KeyMint,
    tally: Tally,
) -> RunImports:
    """All that imports feeds."""
    steps = ImportFeed(
        writer=storage.writer,
        catalogue=storage.catalogue,
        feeds=storage.feeds,
        fetcher=fetcher,
        clock=clock,
        mint_key=mint_key,
        dice=SystemRandom().random,
        limits=FeedLimits(rows=settings.most_feed_products),
    )
    return RunImports(
        steps=steps,
        writer=storage.writer,
        accounts=storage.accounts,
        feeds=storage.feeds,
        imports=storage.imports,
        files=storage.import_files,
        clock=clock,
        mint_key=mint_key,
        tally=tally,
    )


def imports_beside(settings: Settings, storage: Storage) -> RunImports:
    """The same for a command, beside a running server or without one."""
    clock = system_clock(settings.clock_offset_seconds if settings.test_mode else 0)
    fetcher = HttpFetcher(allow_private=settings.fetch_private)
    return imports_of(settings, storage, fetcher, clock, KeyMint(COMMAND_WORKER, clock), Tally())


def read_geo(settings: Settings) -> GeoFile | None:
    """The operator's database of addresses; ends the program with a sentence where it cannot be read."""
    if settings.geoip_path is None:
        return None
    try:
        return GeoFile(settings.geoip_path)
    except GeoUnreadable as fault:
        raise SystemExit(f"adserver: ADSERVER_GEOIP_PATH: {fault}") from None


def network_of(settings: Settings, storage: Storage, clock: Clock) -> ManageNetwork:
    """With what only the environment decides, for pages that say so."""
    folder = settings.database_path.parent.absolute()
    running = Running(
        base_url=settings.base_url,
        default_region=settings.default_region,
        timezone=settings.timezone,
        folder=str(folder),
        has_region_file=settings.geoip_path is not None,
        tcf_vendor_id=settings.tcf_vendor_id,
    )
    return ManageNetwork(
        storage.writer,
        storage.networks,
        clock,
        running,
        lambda: tuple(sorted(map(str, folder.glob("*.mmdb")))),
    )


def tell_region(settings: Settings) -> None:
    """Say at the start of a server how silence about consent will be read, where addresses say nothing."""
    if read_geo(settings) is None:
        log.warning(
            "ADSERVER_GEOIP_PATH is not set: all visitors are taken to be in a region that is '%s'",
            settings.default_region,
        )


def sole_storage(
    path: Path, retention: Retention = DEFAULT_RETENTION, newest: NewestChange | None = None
) -> Storage:
    """The storage as its one writer; ends the program with a sentence where another process writes."""
    try:
        return own_storage(path, retention, newest)
    except FileOwned as owned:
        raise SystemExit(f"adserver: {owned}") from None


class NotMigrated(Exception):
    """The database is of a version that has no samples of decisions yet."""


def replay_database(
    settings: Settings, campaign_key: int, edit: Edit, day: int | None, tell: Callable[[int], None]
) -> Replayed | NoReplay | Refusal:
    """What `adserver replay` prints; the file is only read, beside a running server or without one."""
    if not settings.database_path.exists():
        raise FileNotFoundError(settings.database_path)
    clock = system_clock(settings.clock_offset_seconds if settings.test_mode else 0)
    with closing(ReadOnly(settings.database_path)) as ports:
        if not ports.is_of_this_version:
            raise NotMigrated
        snapshot = Snapshot()
        refresh = Refresh(snapshot, ports.changes, ports.stats, ports)
        refresh.load(clock())
        samples, rates = ports.decision_samples, settings.ranking_rates
        peace = settings.peace
        replay = Replay(snapshot, samples, ports.catalogue, clock, rates, refresh.if_stale, peace)
        return replay.run(campaign_key, edit, day, tell)


def examine_installation(settings: Settings) -> Installation:
    """What `adserver doctor` judges; it is found out whether or not a server runs, and nothing is changed."""
    path = settings.database_path
    folder_fault, skew_ms = checkup.write_fault(path.parent)
    fonts_found = look_for_fonts(settings.fonts)
    return Installation(
        now_ms=system_clock(settings.clock_offset_seconds if settings.test_mode else 0)(),
        base_url=settings.base_url,
        default_region=settings.default_region,
        folder=str(path.parent.absolute()),
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        has_geoip=settings.geoip_path is not None,
        geoip_fault=_geoip_fault(settings),
        tcf_vendor_id=settings.tcf_vendor_id,
        scripts_without_font=fonts_found.missing,
        unreadable_fonts=fonts_found.unreadable,
        folder_fault=folder_fault,
        folder_skew_ms=skew_ms,
        free_bytes=checkup.free_bytes(path.parent),
        is_serving=checkup.is_serving(path),
        database=checkup.find_database(path),
        keys=checkup.find_keys(path.parent),
        answered=reach(settings.base_url),
    )


def settings_shown(settings: Settings) -> list[Setting]:
    """Every setting as it is, without what only the process itself should know."""
    shown = []
    for name in Settings.model_fields:
        value = getattr(settings, name)
        is_default = name not in settings.model_fields_set
        shown.append(Setting(f"ADSERVER_{name.upper()}", _in_words(name, value), is_default))
    return shown


def _in_words(name: str, value: Any) -> str:
    if name == "database_url" and "@" in value:  # of another kind than today's, with a password
        return HIDDEN
    if isinstance(value, dict):
        return ", ".join(f"{key}={one}" for key, one in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _geoip_fault(settings: Settings) -> str | None:
    try:
        if settings.geoip_path is not None:
            GeoFile(settings.geoip_path)
    except GeoUnreadable as fault:
        return str(fault)
    return None


def users_beside(storage: Storage, clock: Clock) -> ManageUsers:
    """What may be done about users, by the console and the command line."""
    return ManageUsers(
        storage.writer,
        storage.users,
        storage.accounts,
        clock,
        partial(secrets.randbelow, MOST_KEY),
        partial(secrets.token_urlsafe, 32),
    )


def create_operator_key(storage: Storage, clock: Clock, name: str) -> str:
    """The text of a new operator's key: its only sight."""
    text = f"{PREFIX}{secrets.token_urlsafe(32)}"
    key = ApiKey(
        key=secrets.randbelow(MOST_KEY),
        digest=digest_of(text),
        scope=Scope.OPERATOR,
        name=name,
        created_at_ms=clock(),
    )
    outcome = storage.writer.commit(SaveEntity(key, is_new=True, at_ms=key.created_at_ms))
    if outcome.result is not Result.SAVED:
        raise SystemExit(f"adserver: the key could not be kept ({outcome.result.value}); nothing was made")
    return text
