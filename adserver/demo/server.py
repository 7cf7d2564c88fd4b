"""The demo's server: its ranking stands still, its dice go round, and it tells what it decided and why."""

from collections.abc import Callable

from adserver.domain.caller import Caller
from adserver.domain.decision import Decision, NoAd
from adserver.domain.page_sheet import Sheet
from adserver.domain.slot import Slot
from adserver.domain.token import Secrets, TokenKeys
from adserver.flows.refresh import Refresh
from adserver.flows.serve import Chance, Serve, SlotRequest
from adserver.flows.serve.given import Given
from adserver.main.server import Server

Heard = Callable[[Slot, Caller, Decision | NoAd], None]
GOLDEN = 0.6180339887498949  # steps of this fraction of a turn visit any number of places evenly


class Turntable:
    """Dice that go round: campaigns that bid the same are chosen in turn, so that each is soon met."""

    def __init__(self) -> None:
        self._at = 0.0

    def __call__(self) -> float:
        """The next throw."""
        thrown = self._at
        self._at = (self._at + 1 - GOLDEN) % 1.0
        return thrown


class LevelRefresh(Refresh):
    """Learns nothing of click rates: else one campaign of three that bid the same would soon win for good."""

    def load_rates(self, now_ms: int = 0) -> None:
        """All campaigns stay as they are believed to be at first."""


class ToldServe(Serve):
    """Tells a listener each decision, with the refusals of all others, before it is served."""

    heard: Heard | None = None

    def give(self, ask: SlotRequest, slot: Slot, caller: Caller, now_ms: int, sheet: Sheet = ()) -> Given:
        given = super().give(ask, slot, caller, now_ms, sheet)
        if self.heard is not None:
            self.heard(slot, caller, given.answer)
        return given


class DemoServer(Server):
    """A server for one demo."""

    serve: ToldServe

    def _make_flows(self) -> None:
        self.memory.snapshot.rates = {}
        self.refresh = LevelRefresh(
            self.memory.snapshot, self.storage.changes, self.storage.stats, self.storage.writer
        )
        self.refresh.load()
        super()._make_flows()
        self.serve = ToldServe(
            self.memory,
            self.storage,
            self.refresh.if_stale,
            self.clock,
            Chance(self.mint_key, Turntable()),
            Secrets(self.token_keys(), bytes.fromhex(self.keys.orders)),
            self.serving_policy(),
        )

    def token_keys(self) -> TokenKeys:
        ring = {number: bytes.fromhex(key) for number, key in self.keys.tokens.items()}
        return TokenKeys(self.keys.current, ring)
