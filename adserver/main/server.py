"""The server: settings and storage become flows, the application and its jobs."""

import asyncio
import logging
import secrets
import time
from functools import partial
from random import Random, SystemRandom
from urllib.parse import urlsplit

from adserver import jobs
from adserver.config import METRICS_HERE, Settings
from adserver.domain.memory import Memory, new_memory
from adserver.domain.token import Secrets, TokenKeys
from adserver.flows.arrivals import ArrivalReports
from adserver.flows.audience_sizes import AudienceSizeReports, CountAudiences
from adserver.flows.bill import Bill, BillingPolicy
from adserver.flows.campaign_days import CampaignDays
from adserver.flows.collect import Collect, CollectPolicy
from adserver.flows.consents import ProveConsent
from adserver.flows.convert import Convert
from adserver.flows.draw import Draw
from adserver.flows.funnel import FunnelReports, RollUpFunnel
from adserver.flows.hold_consent import HoldConsent
from adserver.flows.live_view import WatchLiveEvents
from adserver.flows.login import Login
from adserver.flows.manage import Desk as ManagementDesk
from adserver.flows.manage import Holding, KeyCalls, Manage
from adserver.flows.measure import Measure
from adserver.flows.notify import Notify
from adserver.flows.outlook import Outlooks
from adserver.flows.picture import FetchPictures, PictureReports
from adserver.flows.pixel_doctor import PixelDoctor
from adserver.flows.postback import Postback
from adserver.flows.preview import Preview
from adserver.flows.privacy import Privacy
from adserver.flows.purge import Purge
from adserver.flows.recognise import Recognise
from adserver.flows.recommend import Learn
from adserver.flows.redeem import Redeem
from adserver.flows.refresh import Refresh
from adserver.flows.refusals import CountRefusals
from adserver.flows.relay import Relay, RelayPolicy
from adserver.flows.rendition import CompletePictures
from adserver.flows.replay import Replay
from adserver.flows.report import RollUpReports
from adserver.flows.seal import Seal
from adserver.flows.serve import Chance, Serve, ServingPolicy
from adserver.flows.serve.explain import Explain
from adserver.flows.serve.try_slot import TrySlot
from adserver.flows.shops import Shops
from adserver.flows.upload import Upload
from adserver.main.beside import (
    MOST_KEY,
    examine_installation,
    imports_of,
    network_of,
    read_geo,
    settings_shown,
    users_beside,
)
from adserver.outside.clock import HalfTime, KeyMint, system_clock
from adserver.outside.fetcher import HttpFetcher
from adserver.outside.passwords import Argon2
from adserver.outside.pictures import PictureDecoder, edition_of
from adserver.outside.signer import HeadSigner
from adserver.parties import Parties
from adserver.ports import Clock
from adserver.storage.embedded import Storage
from adserver.storage.secrets import derived_key, load_keys
from adserver.web.app import make_app
from adserver.web.assets import slot_script
from adserver.web.caller import CallerPolicy, Callers
from adserver.web.console import Desk
from adserver.web.doors import Application, Door
from adserver.web.flows import Decisions, Operations, books_of, operations_of
from adserver.web.flows import Flows as ManagedFlows
from adserver.web.gallery import Gallery
from adserver.web.hot import Checks, Files, Flows, Hot
from adserver.web.privacy_routes import VisitorPages
from adserver.web.pulse import Pulse
from adserver.writes import Access, AddCounts, KeepLive, KeepSamples, Outcome, Result, Scope
from pixel.assets import tag_script
from pixel.consent import Region
from pixel.cookie import KeyRing

log = logging.getLogger("adserver")

POLL_SECONDS = 0.1
TALLY_SECONDS = 1.0
MOST_COUNTS = 250  # that are reported at once, about 2 ms of the writer's time
RATES_SECONDS = 30.0
HOUR_MS = 3_600_000
LEARNING_REST_SECONDS = 0.002  # at least, between a few milliseconds of work: requests go first
DECODERS_NICE = 10
PICTURE_SECONDS = 20.0


Counts = tuple[tuple[int, str, int, int], ...]  # as the tally gives them


class Server:
    """One process's flows over one storage; `application` answers HTTP, `runner` does the jobs."""

    def __init__(self, settings: Settings, storage: Storage, worker: int = 0) -> None:
        self.settings = settings
        self.storage = storage
        self.memory: Memory = new_memory(settings.limits)
        offset = settings.clock_offset_seconds if settings.test_mode else 0
        self.clock: Clock = system_clock(offset)
        self.mint_key = KeyMint(worker, self.clock)
        self.keys = load_keys(storage.path.parent)
        self.signer = HeadSigner(bytes.fromhex(self.keys.proofs))
        self.pictures = PictureDecoder(fonts=settings.fonts)
        # Of merchants' pictures, for which nobody waits.
        self.decoder = PictureDecoder(sealed=True, nice=DECODERS_NICE)
        self.refresh = Refresh(self.memory.snapshot, storage.changes, storage.stats, storage.writer)
        self.refresh.load(self.clock())
        self.refresh.load_traffic(self.clock())
        self.network = network_of(settings, storage, self.clock)
        self._make_flows()
        self.draw = Draw(storage.media, self.pictures, storage.frames, edition_of(settings.fonts))
        self.complete_pictures = CompletePictures(storage.media, self.decoder)
        self.measure = Measure(self.memory, storage, self.clock, jobs.LEASE_MS, time.monotonic)
        self.pulse = Pulse(storage.writer)
        self.application: Application = self._make_application()
        tally = self.memory.tally
        self.runner = jobs.Runner(self._jobs(), storage, self.clock, secrets.token_hex(8), tally)

    def _make_flows(self) -> None:
        settings, storage = self.settings, self.storage
        known = self._secrets()
        own_page = settings.house_url or settings.base_url
        self.parties = parties = Parties(self.memory, storage.campaigns, self.refresh.poll)
        self.convert = Convert(self.memory, storage, parties, self.clock, known)
        self.collect = Collect(
            self.memory, storage, self.refresh.if_stale, self.clock, self.mint_key,
            secrets.token_bytes,
            CollectPolicy(
                self.cookie_keys(), known.tokens, known.orders, settings.tcf_vendor_id,
                derived_key(self.keys, b"parties"),
            ),
            self.convert.submit_credits,
        )  # fmt: skip
        self.serve = Serve(
            self.memory, storage, self.refresh.if_stale, self.clock,
            Chance(self.mint_key, Random().random),  # noqa: S311  no secret, and cheaper than the kernel's
            known, self.serving_policy(),
        )  # fmt: skip
        self.explain = self._explain()
        policy = BillingPolicy(own_page, settings.click_delay_ms)
        self.bill = Bill(self.memory, storage, parties, self.clock, known, policy)
        self.shops = Shops(
            storage.accounts, storage.stats, self.memory.tally, self.clock,
            self.convert.convert, self.convert.cancel,
        )  # fmt: skip
        self.relay = Relay(
            self.memory, storage, self.clock, known,
            RelayPolicy(derived_key(self.keys, b"parties"), settings.tcf_vendor_id),
            self.collect, self.convert.convert,
        )  # fmt: skip
        postbacks_key = derived_key(self.keys, b"postbacks")
        self.postback = Postback(storage.accounts, self.clock, self.convert.convert, postbacks_key)
        self.redeem = Redeem(self.memory, storage, self.clock, known)
        self.privacy = Privacy(
            self.memory, storage, self.clock, self.mint_key, known.tokens, self.convert.credit_visitor,
            settings.peace,
        )  # fmt: skip
        self.manage = self._manage()
        self._make_flows_that_go_out()

    def _make_flows_that_go_out(self) -> None:
        """Those that ask addresses which merchants have named."""
        settings, storage = self.settings, self.storage
        fetcher = HttpFetcher(allow_private=settings.fetch_private)
        self.imports = imports_of(settings, storage, fetcher, self.clock, self.mint_key, self.memory.tally)
        self.fetch_pictures = FetchPictures(
            writer=storage.writer,
            catalogue=storage.catalogue,
            book=storage.picture_book,
            media=storage.media,
            fetcher=HttpFetcher(allow_private=settings.fetch_private, download_seconds=PICTURE_SECONDS),
            pictures=self.decoder,
            clock=self.clock,
            dice=SystemRandom().random,
        )
        self.notify = Notify(
            writer=storage.writer,
            accounts=storage.accounts,
            notices=storage.notices,
            fetcher=fetcher,
            clock=self.clock,
            dice=SystemRandom().random,
            mint_key=self.mint_key,
            server_key=derived_key(self.keys, b"webhooks"),
        )

    def _manage(self) -> Manage:
        storage = self.storage
        desk = ManagementDesk(
            writer=storage.writer,
            accounts=storage.accounts,
            campaigns=storage.campaigns,
            audiences=storage.audiences,
            experiments=storage.experiments,
            saved_reports=storage.saved_reports,
            inventory=storage.inventory,
            keys=storage.keys,
            catalogue=storage.catalogue,
            product_sets=storage.product_sets,
            suppressions=storage.suppressions,
            feeds=storage.feeds,
            ledger=storage.ledger,
            offers=storage.offers,
            media=storage.media,
            payments=storage.payments,
            pending=storage.pending,
            key_calls=KeyCalls(storage.stats, self.memory.tally),
            clock=self.clock,
            mint_key=partial(secrets.randbelow, MOST_KEY),
            mint_secret=partial(secrets.token_urlsafe, 32),
            order_secret=bytes.fromhex(self.keys.orders),
            fetch_private=self.settings.fetch_private,
            retention=self.settings.retention,
            approves_all=self.settings.approve_creatives == "auto",
        )
        return Manage(desk, Holding(storage.holds, storage.payouts))

    def _pixel_doctor(self, arrivals: ArrivalReports) -> PixelDoctor:
        storage = self.storage
        return PixelDoctor(storage.pixel, storage.catalogue, storage.feeds, self.clock, arrivals.pages)

    def serving_policy(self) -> ServingPolicy:
        told = self.settings
        return ServingPolicy(
            told.base_url,
            told.ranking_rates,
            self.cookie_keys(),
            told.tcf_vendor_id,
            told.peace,
            told.sensitive_categories,
            told.learn_from_visits,
        )

    def _decisions(self) -> Decisions:
        storage, snapshot = self.storage, self.memory.snapshot
        rates = self.settings.ranking_rates
        replay = Replay(
            snapshot, storage.decision_samples, storage.catalogue, self.clock, rates, self.refresh.if_stale,
            self.settings.peace,
        )  # fmt: skip
        try_slot = TrySlot(self.explain, storage.catalogue, snapshot, self.refresh.if_stale)
        return Decisions(
            self.explain, CountRefusals(storage.stats, self.clock), replay, try_slot,
            CampaignDays(storage.stats, self.clock), Outlooks(snapshot, storage, self.clock),
        )  # fmt: skip

    def _explain(self) -> Explain:
        policy, parties = self.serving_policy(), derived_key(self.keys, b"parties")
        dice = Random().random  # noqa: S311  no secret
        return Explain(self.memory, self.storage, self.refresh.if_stale, self.clock, dice, policy, parties)

    def _secrets(self) -> Secrets:
        tokens = TokenKeys(self.keys.current, _ring(self.keys.tokens))
        return Secrets(tokens, bytes.fromhex(self.keys.orders))

    def cookie_keys(self) -> KeyRing:
        return KeyRing(self.keys.current, _ring(self.keys.cookies))

    def _make_application(self) -> Application:
        settings = self.settings
        callers = self._callers()
        behind = make_app(
            self._managed_flows(),
            visitor_pages=VisitorPages(self.privacy, callers, self.clock),
            console_desk=self._console(callers),
        )
        files = Files(Gallery(self.storage.media, self.complete_pictures), tag_script(), slot_script())
        flows = Flows(self.collect, self.serve, self.bill, self.draw, self.explain)
        measured = self.measure.families if settings.metrics == METRICS_HERE else None
        checks = Checks(
            self.storage.answers, self._is_staff_key, self.pulse.refuses, settings.debug_headers, measured
        )
        return Door(Hot(callers, flows, files, checks), behind)

    def _operations(self) -> Operations:
        settings = self.settings
        examine, shown = partial(examine_installation, settings), settings_shown(settings)
        return operations_of(self.storage, self.manage, settings.timezone, examine, shown)

    def _managed_flows(self) -> ManagedFlows:
        settings = self.settings
        arrivals = ArrivalReports(self.storage, self.clock)
        return ManagedFlows(
            manage=self.manage,
            convert=self.convert,
            imports=self.imports,
            notify=self.notify,
            shops=self.shops,
            pixel_doctor=self._pixel_doctor(arrivals),
            live_view=WatchLiveEvents(
                self.storage.writer, self.storage.live_views, self.storage.catalogue, self.clock
            ),
            recognise=Recognise(self.storage.stats),
            arrivals=arrivals,
            audience_sizes=AudienceSizeReports(self.storage, self.clock),
            funnel=FunnelReports(self.storage, self.clock),
            pictures=PictureReports(
                self.storage.writer, self.storage.catalogue, self.storage.picture_book, self.clock
            ),
            relay=self.relay,
            consents=ProveConsent(self.storage.consents, derived_key(self.keys, b"parties")),
            postback=self.postback,
            upload=Upload(self.storage.media, self.decoder),
            preview=Preview(self.storage.catalogue, self.draw, self.clock),
            redeem=self.redeem,
            network=self.network,
            books=books_of(self.storage, self.signer, self.clock, settings.timezone, settings.retention),
            decisions=self._decisions(),
            operations=self._operations(),
            base_url=settings.base_url,
            tcf_vendor_id=settings.tcf_vendor_id,
        )

    def _console(self, callers: Callers) -> Desk:
        storage, mint_secret = self.storage, partial(secrets.token_urlsafe, 32)
        login = Login(
            storage.writer, storage.users, storage.sessions, Argon2(), self.clock, self.mint_key, mint_secret
        )
        return Desk(
            login, users_beside(storage, self.clock), self.manage, self.network, storage.accounts, callers,
            self.clock, self.settings.base_url,
        )  # fmt: skip

    def _callers(self) -> Callers:
        settings = self.settings
        host = urlsplit(settings.base_url).hostname or ""
        policy = CallerPolicy(
            frozenset({host, *settings.hosts}),
            settings.trusted_proxies,
            settings.default_region,
            settings.loopback_region,
            settings.robots_refused,
            self.cookie_keys(),
            settings.secure,
            dict.fromkeys(settings.strict_countries, Region.STRICT),
        )
        return Callers(policy, read_geo(settings))

    def _is_staff_key(self, text: str) -> bool:
        """Whether a bearer's text is an operator's key, who may ask what became of a request."""
        key = self.manage.keys.identify(text)
        return key is not None and key.scope is Scope.OPERATOR and key.access is not Access.EVENTS

    def _jobs(self) -> list[jobs.Job]:
        return jobs.table(
            self.convert,
            self.manage.conversions,
            self.manage.keys,
            self.imports,
            self.fetch_pictures,
            self.notify,
            Seal(self.storage.writer, self.storage.seals, self.signer, self.clock),
            Purge(self.storage.writer, self.clock, self.settings.retention),
            HoldConsent(
                self.storage.accounts,
                self.storage.inventory,
                self.storage.stats,
                self.storage.writer,
                self.clock,
            ),
            CountAudiences(self.storage, self.clock, SystemRandom().random),
            RollUpFunnel(self.storage, self.parties, self.clock),
            RollUpReports(self.storage, self.clock, self.settings.timezone),
            Learn(
                self.storage.visits,
                self.storage.recommendations,
                self.storage.writer,
                self.clock,
                self.settings.retention.views_ms if self.settings.learn_from_visits else 0,
                HalfTime(LEARNING_REST_SECONDS),
            ),
            self.storage,
        )

    # ---- while it runs ----

    def attach_loop(self) -> None:
        """Have batches begun and outcomes delivered on the running event loop; before its first request."""
        loop = asyncio.get_running_loop()
        self.storage.writer.on_loop(loop)
        self.pulse.beat(loop)

    def detach_loop(self) -> None:
        self.storage.writer.on_loop(None)

    async def keep_fresh(self) -> None:
        """Beside the requests of a worker: poll the change log, report counts, reload the rates."""
        since_tally = since_rates = 0.0
        while True:
            await asyncio.sleep(POLL_SECONDS)
            self.freshen()
            self.report_live()
            since_tally += POLL_SECONDS
            since_rates += POLL_SECONDS
            if self.memory.tally.is_leaving:
                self.report_counts(MOST_COUNTS)
            elif since_tally >= TALLY_SECONDS:
                since_tally = 0.0
                self.report_counts(MOST_COUNTS)
            if since_rates >= RATES_SECONDS:
                since_rates = 0.0
                await asyncio.to_thread(self.freshen, figures=True)  # requests do not wait for sums

    def freshen(self, *, figures: bool = False) -> None:
        """Look at the change log, at times at the figures too; the next look makes up for one that fails."""
        try:
            self.refresh.poll()
            if figures:
                self.refresh.load_rates(self.clock())
                self.refresh.load_traffic(self.clock())
                self.refresh.load_sizes()
        except Exception:
            log.exception("the database cannot be read")

    def report_counts(self, most: int | None = None) -> None:
        """At most so many at once: all others' writes wait behind them. Behind the last come the samples."""
        now_ms = self.clock()
        counts = self.memory.tally.take(now_ms - now_ms % HOUR_MS, most)
        if counts:
            self.storage.writer.submit(AddCounts(counts)).then(partial(self._keep_unrecorded, counts))
        samples = () if self.memory.tally.is_leaving else self.memory.samples.take()
        if samples:
            self.storage.writer.submit(KeepSamples(samples))

    def report_live(self) -> None:
        """Whoever looks at a shop sees what this worker saw, and this worker hears of whoever looks."""
        seen = self.memory.live.take()
        if seen:
            self.storage.writer.submit(KeepLive(seen))
        try:
            self.memory.live.watch(self.storage.live_views.watched(self.clock()))
        except Exception:
            log.exception("who looks on cannot be read")

    def _keep_unrecorded(self, counts: Counts, outcome: Outcome) -> None:
        if outcome.result is Result.UNRECORDED:
            self.memory.tally.put_back(counts)

    def close(self) -> None:
        self.report_counts()
        self.complete_pictures.close()
        self.decoder.close()
        self.pictures.close()
        self.storage.close()


def _ring(keys: dict[int, str]) -> dict[int, bytes]:
    return {number: bytes.fromhex(key) for number, key in keys.items()}
