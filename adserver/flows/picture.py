"""Products' pictures are fetched, become our own, and are looked at again now and then."""

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

import msgspec

from adserver.domain.catalogue import Product
from adserver.domain.fetching import NOT_KNOWN, Validators
from adserver.domain.picture import (
    HOST_RESTING,
    HostState,
    PictureCounts,
    PictureState,
    Tried,
    Trouble,
    blames_host,
    is_wanted,
    links_of,
    state_after,
    state_unnoted,
)
from adserver.ports import Catalogue, Clock, Fetcher, FetchRefused, Media, PictureBook, Pictures, Writer
from adserver.writes import ForgetPictures, KeepPicture, Result, RetryPictures, Write
from creatives.pictures import Thumbnail

MOST_PICTURE_BYTES = 8_000_000
PARALLEL_FETCHES = 8
CONNECTIONS_PER_HOST = 4  # merchants' shops are small, and visitors are there too
PRODUCTS_AT_ONCE = 40
WATCHED_AT_ONCE = 500
TURN_MS = 2_000  # then the job lets its lease be looked at
MOST_HOSTS = 10_000

Sighting = tuple[Product, PictureState | None]
Addresses = tuple[tuple[str, ...], str | None, Validators, bool]  # what a try depends on


class FetchPictures:
    """One thread runs it. What it remembers itself is where it stands, and which hosts failed of late."""

    def __init__(  # noqa: PLR0913  every port by name
        self,
        *,
        writer: Writer,
        catalogue: Catalogue,
        book: PictureBook,
        media: Media,
        fetcher: Fetcher,
        pictures: Pictures,
        clock: Clock,
        dice: Callable[[], float],
    ) -> None:
        self._writer = writer
        self._catalogue = catalogue
        self._book = book
        self._media = media
        self._fetcher = fetcher
        self._pictures = pictures
        self._clock = clock
        self._dice = dice
        self._hosts = Hosts(clock)
        self._seen = 0  # of the catalogues' changes
        self._walks: OrderedDict[int, int] = OrderedDict()  # where each changed catalogue is read on
        self._changed_meanwhile: set[int] = set()
        self._unwatched_after: int | None = -1  # None: all are watched

    def run(self) -> int:
        """Try what is missing and what is due, for a while; how many products it were."""
        if (
            not self._writer.records
        ):  # what came of it could not be noted, and would be fetched again and again
            return 0
        self._watch_older()
        self._notice_changes()
        until_ms = self._clock() + TURN_MS
        tried = 0
        while sightings := self._next_missing() or self._next_due():
            is_noted = False
            try:
                is_noted = self._try(sightings)
            finally:
                if not is_noted:
                    self._begin_again(sightings)
            tried += len(sightings)
            if not is_noted or self._clock() >= until_ms:
                break
        return tried

    def _watch_older(self) -> None:
        """Some of the pictures that an older version fetched are looked at again from now on too."""
        if self._unwatched_after is None:
            return
        keys = self._book.unwatched(self._unwatched_after, WATCHED_AT_ONCE)
        self._unwatched_after = keys[-1] if keys else None
        now_ms = self._clock()
        self._writer.commit_many(
            [
                KeepPicture(
                    product.advertiser_key, product.key, product.image_link or "", None,
                    state_unnoted(product, now_ms, self._dice()),
                )
                for product in self._catalogue.products(keys).values()
            ]
        )  # fmt: skip

    def _notice_changes(self) -> None:
        """Who has changed nothing costs nothing: their catalogues are not looked at."""
        self._seen, changed = self._book.changed_since(self._seen)
        for advertiser_key in changed:
            if self._walks.setdefault(advertiser_key, -1) >= 0:
                self._changed_meanwhile.add(advertiser_key)

    def _begin_again(self, sightings: Sequence[Sighting]) -> None:
        """Another time: behind the others, whom it must not hold up."""
        for product, _ in sightings:
            self._walks.pop(product.advertiser_key, None)
            self._walks[product.advertiser_key] = -1

    def _next_missing(self) -> list[Sighting]:
        """Of the changed catalogues, each in its turn, products that were never tried at their addresses."""
        while self._walks:
            advertiser_key, after = self._walks.popitem(last=False)
            rows = self._book.lacking(advertiser_key, after, PRODUCTS_AT_ONCE)
            if len(rows) == PRODUCTS_AT_ONCE:
                self._walks[advertiser_key] = rows[-1][0]
            elif advertiser_key in self._changed_meanwhile:
                self._changed_meanwhile.remove(advertiser_key)
                self._walks[advertiser_key] = -1
            found = self._catalogue.products(key for key, _ in rows)
            sightings = [(found[key], state) for key, state in rows if key in found]
            wanted = [sighting for sighting in sightings if is_wanted(*sighting)]
            if wanted:
                return wanted
        return []

    def _next_due(self) -> list[Sighting]:
        rows = self._book.due(self._clock(), PRODUCTS_AT_ONCE)
        found = self._catalogue.products(key for key, _ in rows)
        due: list[Sighting] = [
            (found[key], state) for key, state in rows if key in found and links_of(found[key])
        ]
        gone = {key for key, _ in rows} - {product.key for product, _ in due}
        if gone:
            self._writer.commit(ForgetPictures(tuple(gone)))
        return due if due or not gone else self._next_due()

    def _try(self, sightings: Sequence[Sighting]) -> bool:
        """Fetch each address once, though many products may share it; whether what came of it was noted."""
        by_addresses: dict[Addresses, list[Sighting]] = {}
        for sighting in sightings:
            by_addresses.setdefault(_addresses(*sighting), []).append(sighting)
        with ThreadPoolExecutor(PARALLEL_FETCHES, "pictures") as pool:
            outcomes = pool.map(self._tried, by_addresses)
            writes = [
                self._noted(*sighting, tried)
                for sharing, tried in zip(by_addresses.values(), outcomes, strict=True)
                for sighting in sharing
            ]
        return all(outcome.result is Result.SAVED for outcome in self._writer.commit_many(writes))

    def _noted(self, product: Product, known: PictureState | None, tried: Tried) -> Write:
        state = state_after(product, known, tried, self._clock(), self._dice())
        if tried.reason == HOST_RESTING:
            rests_until_ms = max(map(self._hosts.rests_until_ms, links_of(product)))
            state = msgspec.structs.replace(state, due_ms=max(rests_until_ms, self._clock()), failures=0)
        return KeepPicture(
            product.advertiser_key, product.key, product.image_link or "", tried.picture, state
        )

    def _tried(self, addresses: Addresses) -> Tried:
        """The first of the addresses that has a picture, and why the first of all has none."""
        links, source, validators, has_picture = addresses
        reason = None
        for link in links:
            known = validators if has_picture and link == source else NOT_KNOWN
            answer = self._picture_at(link, known)
            if isinstance(answer, Tried):
                return msgspec.structs.replace(answer, reason=reason)
            reason = reason or answer
        return Tried(None, reason=reason)

    def _picture_at(self, link: str, known: Validators) -> Tried | str:
        """What is shown of an address, already kept; or why nothing is."""
        body = io.BytesIO()
        host = urlsplit(link).netloc
        if self._hosts.rests_until_ms(link) > self._clock():
            return HOST_RESTING
        try:
            with self._hosts.connection(host):
                came = self._fetcher.download(link, MOST_PICTURE_BYTES, body, known)
        except FetchRefused as refused:
            self._hosts.note(host, failed=blames_host(str(refused)))
            return str(refused)
        self._hosts.note(host, failed=False)
        if came.unchanged:
            return Tried(link, None, known)
        made = self._pictures.thumbnail(body.getvalue())
        if not isinstance(made, Thumbnail):
            return made.value
        self._media.put(made)
        return Tried(link, made.hash, came.validators)


class Hosts:
    """How many connections each host has, and which are left alone for a while; asked by several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._states: OrderedDict[str, HostState] = OrderedDict()
        self._turns: OrderedDict[str, threading.BoundedSemaphore] = OrderedDict()

    def connection(self, host: str) -> AbstractContextManager[object]:
        """Hold it while the host is asked; waits for a turn."""
        with self._lock:
            turn = self._turns.setdefault(host, threading.BoundedSemaphore(CONNECTIONS_PER_HOST))
            self._turns.move_to_end(host)
            while len(self._turns) > MOST_HOSTS:
                self._turns.popitem(last=False)
        return turn

    def rests_until_ms(self, link: str) -> int:
        with self._lock:
            return self._states.get(urlsplit(link).netloc, HostState()).rests_until_ms

    def note(self, host: str, *, failed: bool) -> None:
        """What came of asking it. Those that do well are not remembered."""
        with self._lock:
            state = self._states.pop(host, HostState()).after(failed=failed, now_ms=self._clock())
            if state.failures:
                self._states[host] = state
            while len(self._states) > MOST_HOSTS:
                self._states.popitem(last=False)


class PictureReports:
    """What advertisers are told of their products' pictures."""

    def __init__(self, writer: Writer, catalogue: Catalogue, book: PictureBook, clock: Clock) -> None:
        self._writer = writer
        self._catalogue = catalogue
        self._book = book
        self._clock = clock

    def counts(self, advertiser_key: int) -> PictureCounts:
        return self._book.counts(advertiser_key)

    def troubles(self, advertiser_key: int, reason: str | None, after: int, limit: int) -> list[Trouble]:
        rows = self._book.troubles(advertiser_key, reason, after, limit)
        found = self._catalogue.products(key for key, _ in rows)
        return [Trouble(found[key], state) for key, state in rows if key in found]

    def retry(self, advertiser_key: int) -> int:
        """Have all that are in trouble tried now, for whoever has repaired something; how many they are."""
        asked = RetryPictures(advertiser_key, self._clock())
        retried = 0
        while (outcome := self._writer.commit(asked)).result is Result.SAVED and outcome.figure:
            retried += outcome.figure
        return retried


def _addresses(product: Product, state: PictureState | None) -> Addresses:
    if state is None:
        return links_of(product), None, NOT_KNOWN, False
    return links_of(product), state.source, state.validators, product.picture is not None
