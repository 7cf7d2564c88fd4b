"""A stateful test: uploads, clicks and orders with few codes go to the real committer and to plain Python."""

import atexit
import itertools
import shutil
from pathlib import Path

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from adserver.domain.offer import AddCodes, HandCode, OfferPool, PoolKind, RedeemCode
from adserver.storage.changes import SqliteChanges
from adserver.storage.offers import SqliteOffers
from adserver.storage.sqlite import Reader
from adserver.storage.writer import Committer
from adserver.writes import ForgetVisitor, Outcome, Result, SaveEntity, StoreEvent, Write
from pixel.events import EventName
from tests.contract.stores import IMPLEMENTATIONS
from tests.domain.makers import ADVERTISER, NOW_MS, make_event
from tests.new_database import folder_in_memory

OTHER = ADVERTISER + 1
MINUTE_MS = 60_000
UPLOADED, MADE, OTHERS = 91, 92, 93
OWNER = {UPLOADED: ADVERTISER, MADE: ADVERTISER, OTHERS: OTHER}
CODES = [f"CODE-{number:02}" for number in range(48)]
SHEETS = [tuple(CODES[start : start + 14]) for start in (0, 12, 24, 34)]  # which overlap
UPLOAD_KEY = 5

pools = st.sampled_from([UPLOADED, UPLOADED, MADE, OTHERS])
clicks = st.integers(min_value=1, max_value=40)
hands = st.tuples(st.just("hand"), pools, clicks)
uploads = st.tuples(st.just("upload"), st.sampled_from([UPLOADED, OTHERS]), st.sampled_from(SHEETS))
redeems = st.tuples(
    st.just("redeem"), pools, clicks, st.integers(1, 3), st.sampled_from(["same", "none", "other"]),
    st.booleans(),
)  # fmt: skip
forgets = st.tuples(st.just("forget"), clicks)
visits = st.tuples(st.just("visit"), clicks)
bursts = st.lists(hands | redeems | uploads | forgets | visits, min_size=1, max_size=12)


class Code(msgspec.Struct):
    """What the model knows of a code."""

    pool: int
    click: int | None = None
    handed_ms: int | None = None
    expires_ms: int | None = None
    order: int | None = None
    by_server: bool = False
    visitor: int = 0


class OfferModel:
    """Pools in plain Python."""

    def __init__(self) -> None:
        self.codes: dict[tuple[int, str], Code] = {}
        self.low = {UPLOADED: True, MADE: False, OTHERS: True}
        self.visitors: set[int] = set()
        self.forgotten: set[int] = set()

    def of(self, pool: int) -> list[Code]:
        return [code for code in self.codes.values() if code.pool == pool]

    def free(self, pool: int) -> int:
        return sum(code.handed_ms is None for code in self.of(pool))

    def upload(self, write: AddCodes) -> int:
        new = [code for code in write.codes if (write.advertiser_key, code) not in self.codes]
        for code in new:
            self.codes[write.advertiser_key, code] = Code(write.pool_key)
        self.look(write.pool_key)
        return len(new)

    def hand(self, write: HandCode, outcome: Outcome) -> None:
        known = [
            (name, code)
            for (_, name), code in self.codes.items()
            if code.pool == write.pool_key and code.click == write.impression_id
        ]
        if known:
            [(name, code)] = known
            assert outcome == Outcome(Result.HANDED, code.expires_ms or 0, name)
            return
        owner = write.advertiser_key
        if write.fresh:
            left = [code for code in write.fresh if (owner, code) not in self.codes][:1]
        else:
            left = [
                name
                for (of, name), code in self.codes.items()
                if of == owner and code.pool == write.pool_key and code.handed_ms is None
            ]
        if not left:
            assert outcome == Outcome(Result.NO_CODE_LEFT)
            return
        assert outcome.result is Result.HANDED and outcome.text in left, (outcome, left)
        assert outcome.figure == (write.expires_ms or 0)
        self.codes[owner, outcome.text] = Code(
            write.pool_key, write.impression_id, write.at_ms, write.expires_ms,
            visitor=write.visitor_key if write.visitor_key in self.visitors else 0,
        )  # fmt: skip
        self.look(write.pool_key)

    def look(self, pool: int) -> None:
        """One of twenty is kept back, at most a hundred."""
        if pool != MADE:
            self.low[pool] = self.free(pool) <= min(len(self.of(pool)) // 20, 100)

    def redeem(self, write: RedeemCode) -> str:
        code = self.codes.get((write.advertiser_key, write.code))
        if code is None:
            return "unknown_code"
        if code.handed_ms is None:
            return "not_handed"
        if code.order == write.order_key:
            code.by_server |= write.by_server
            return "redeemed"
        if code.order is not None and (code.by_server or not write.by_server):
            return "already_redeemed"
        if write.impression_id and code.click and write.impression_id != code.click:
            return "shared_code"
        if code.expires_ms is not None and code.expires_ms <= write.at_ms:
            return "expired"
        code.order, code.by_server = write.order_key, write.by_server
        return "redeemed"

    def visit(self, visitor: int) -> None:
        """Whoever was forgotten of late is not known again."""
        if visitor not in self.forgotten:
            self.visitors.add(visitor)

    def forget(self, visitor: int) -> None:
        self.visitors.discard(visitor)
        self.forgotten.add(visitor)
        for code in self.codes.values():
            if code.visitor == visitor:
                code.click, code.visitor = None, 0


def template() -> Path:
    if not hasattr(template, "made"):
        folder = folder_in_memory()
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        IMPLEMENTATIONS["sqlite"](folder).close()
        template.made = folder  # type: ignore[attr-defined]
    made: Path = template.made  # type: ignore[attr-defined]
    return made


class OfferMachine(RuleBasedStateMachine):
    """Batches of any mixture, some of them cut off by a crash and sent again."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = folder_in_memory()
        for file in template().glob("*"):
            if file.is_file():
                shutil.copy(file, self.folder)
        self.path = self.folder / "adserver.db"
        self.committer = Committer(self.path)
        self.reader = Reader(self.path)
        self.offers, self.changes = SqliteOffers(self.reader), SqliteChanges(self.reader)
        self.model = OfferModel()
        self.now_ms = NOW_MS
        self.keys = itertools.count(1)
        self.told: dict[int, OfferPool] = {}  # as a worker hears of pools
        self.followed = 0

    def teardown(self) -> None:
        self.reader.close()
        self.committer.close()
        shutil.rmtree(self.folder)

    @initialize()
    def open_pools(self) -> None:
        for key, owner in OWNER.items():
            kind = PoolKind.GENERATED if key == MADE else PoolKind.UPLOADED
            low_ms = None if key == MADE else NOW_MS
            pool = OfferPool(key=key, advertiser_key=owner, name="x", kind=kind, low_ms=low_ms)
            assert self.committer.commit([SaveEntity(pool, True)]) == [Outcome(Result.SAVED)]

    @rule(specs=bursts)
    def burst(self, specs: list[tuple[object, ...]]) -> None:
        self.settle(self.writes_of(specs))

    @rule(pool=pools, first=clicks, number=st.integers(5, 16))
    def a_rush_of_clicks(self, pool: int, first: int, number: int) -> None:
        self.settle(self.writes_of([("hand", pool, click) for click in range(first, first + number)]))

    @rule(sheet=st.sampled_from(SHEETS))
    def codes_come(self, sheet: tuple[str, ...]) -> None:
        self.settle(self.writes_of([("upload", UPLOADED, sheet), ("upload", OTHERS, sheet)]))

    @rule(pool=pools, click=clicks, order=st.integers(1, 2))
    def a_click_becomes_an_order(self, pool: int, click: int, order: int) -> None:
        """Told by the browser, by the server, by another order, and by a shopper whom a friend told it."""
        self.settle(self.writes_of([("hand", pool, click)]))
        told = [
            ("redeem", pool, click, order, "other", True),
            ("redeem", pool, click, order, "same", False),
            ("redeem", pool, click, order + 1, "none", True),
            ("redeem", pool, click, order, "none", True),
        ]
        self.settle(self.writes_of(told))

    @rule(first=st.integers(1, 3))
    def a_pool_is_nearly_used_up(self, first: int) -> None:
        """Of more than twenty codes one is kept back."""
        self.settle(self.writes_of([("upload", UPLOADED, sheet) for sheet in SHEETS[:3]]))
        for start in range(first, 41, 6):
            batch = range(start, min(start + 6, 41))
            self.settle(self.writes_of([("hand", UPLOADED, click) for click in batch]))

    @rule(pool=pools, click=clicks, minutes=st.sampled_from([9, 10, 11]))
    def an_order_comes_late(self, pool: int, click: int, minutes: int) -> None:
        self.settle(self.writes_of([("hand", pool, click)]))
        self.now_ms += minutes * MINUTE_MS
        self.settle(self.writes_of([("redeem", pool, click, 3, "same", True)]))

    @rule(pool=pools, click=clicks)
    def a_click_is_told_again_after_it_was_forgotten(self, pool: int, click: int) -> None:
        hand = ("hand", pool, click)
        for specs in ([("visit", click), hand], [("forget", click)], [hand]):
            self.settle(self.writes_of(specs))

    @rule(specs=st.lists(hands | redeems, min_size=1, max_size=8), committed=st.booleans())
    def crash_and_resend(self, specs: list[tuple[object, ...]], committed: bool) -> None:
        """What was acknowledged to nobody is sent again: what was handed before stays the same."""
        writes = self.writes_of(specs)
        before: list[Outcome] = []
        if committed:
            before = self.committer.commit(writes)
            self.compare(writes, before)
        else:
            self.committer.apply(writes)
        self.committer.close()
        self.committer = Committer(self.path)
        again = self.committer.commit(writes, resent=True)
        self.compare(writes, again)
        handed = [
            (one, other)
            for write, one, other in zip(writes, before, again, strict=False)
            if isinstance(write, HandCode) and one.result is Result.HANDED
        ]
        assert all(one == other for one, other in handed)
        self.check()

    @rule(minutes=st.sampled_from([1, 4, 11]))
    def time_passes(self, minutes: int) -> None:
        self.now_ms += minutes * MINUTE_MS

    def writes_of(self, specs: list[tuple[object, ...]]) -> list[Write]:
        return [getattr(self, f"_{spec[0]}")(*spec[1:]) for spec in specs]

    def _upload(self, pool: int, sheet: tuple[str, ...]) -> Write:
        return AddCodes(pool, OWNER[pool], UPLOAD_KEY, sheet, self.now_ms)

    def _hand(self, pool: int, click: int) -> Write:
        expires_ms = self.now_ms + 10 * MINUTE_MS if click % 2 else None
        fresh = tuple(f"MADE-{click % 7 + number}" for number in range(3)) if pool == MADE else ()
        return HandCode(
            pool, OWNER[pool], click, f"click-{click}", click, self.now_ms, expires_ms, 10, None, fresh
        )

    def _redeem(self, pool: int, click: int, order: int, whose: str, by_server: bool) -> Write:
        """With the code that the click has, else with one that nobody got."""
        had = [
            name for (_, name), code in self.model.codes.items() if code.pool == pool and code.click == click
        ]
        impression = {"same": click, "none": 0, "other": click + 100}[whose]
        code = had[0] if had else CODES[click % len(CODES)]
        return RedeemCode(OWNER[pool], code, order, impression, by_server, self.now_ms)

    def _visit(self, visitor: int) -> Write:
        event = make_event(EventName.VIEW_ITEM, "boots")
        return StoreEvent(next(self.keys), ADVERTISER, visitor, False, event, self.now_ms)

    def _forget(self, visitor: int) -> Write:
        return ForgetVisitor(visitor, 0, self.now_ms)

    def settle(self, writes: list[Write]) -> None:
        self.compare(writes, self.committer.commit(writes))
        self.check()

    def compare(self, writes: list[Write], outcomes: list[Outcome]) -> None:
        for write, outcome in zip(writes, outcomes, strict=True):
            match write:
                case AddCodes():
                    assert outcome == Outcome(Result.SAVED, self.model.upload(write))
                case HandCode():
                    self.model.hand(write, outcome)
                case RedeemCode():
                    assert outcome == Outcome(Result.JUDGED, text=self.model.redeem(write))
                case StoreEvent():
                    assert outcome.result is Result.ACCEPTED
                    self.model.visit(write.visitor_key)
                case ForgetVisitor():
                    assert outcome.result is Result.SAVED
                    self.model.forget(write.visitor_key)

    def check(self) -> None:
        rows = self.reader.rows(
            "SELECT advertiser_key, code, pool_key, click_impression_id, handed_ms, expires_ms, order_key,"
            " by_server, visitor_key FROM offer_codes"
        )
        kept = {(row[0], row[1]): row[2:] for row in rows}
        assert len(kept) == len(rows)
        assert kept == {
            name: (c.pool, c.click, c.handed_ms, c.expires_ms, c.order, c.by_server, c.visitor)
            for name, c in self.model.codes.items()
        }
        stocks = self.offers.stocks(list(OWNER), self.now_ms)
        for pool, stock in stocks.items():
            codes = self.model.of(pool)
            late = [c for c in codes if c.order is None and c.expires_ms and c.expires_ms <= self.now_ms]
            assert stock.free == self.model.free(pool)
            assert stock.handed == len(codes) - stock.free
            assert (stock.redeemed, stock.expired) == (sum(c.order is not None for c in codes), len(late))
        assert self.model.codes.keys() <= {(OWNER[pool], name) for pool in stocks for _, name in kept}
        self.check_followers()

    def check_followers(self) -> None:
        """A worker that only ever asks what has changed knows which offers may be shown."""
        self.followed, changed = self.changes.since(self.followed)
        self.told.update({pool.key: pool for pool in changed if isinstance(pool, OfferPool)})
        assert {key: pool.low_ms is not None for key, pool in self.told.items()} == self.model.low
