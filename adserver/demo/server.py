"""The demo's server: its ranking stands still, its dice go round, and it tells what it decided and why."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from adserver.domain.caller import Caller
from adserver.domain.decision import Decision, NoAd
from adserver.domain.memory import Memory
from adserver.domain.tally import Tally
from adserver.domain.token import Secrets, TokenKeys
from adserver.flows.refresh import Refresh
from adserver.flows.serve import Chance, Serve, Served, SlotRequest
from adserver.main import Server

Heard = Callable[[SlotRequest, Caller, Decision | NoAd], None]
AnyServe = TypeVar("AnyServe", bound=Serve)
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

    def look(self) -> float:
        """What the next throw will be."""
        return self._at


class LevelRefresh(Refresh):
    """Learns nothing of click rates: else one campaign of three that bid the same would soon win for good."""

    def load_rates(self, now_ms: int = 0) -> None:
        """All campaigns stay as they are believed to be at first."""


class ToldServe(Serve):
    """Tells a listener each decision, with the refusals of all others, before it is served."""

    witness: Serve  # decides the same with the same dice, and counts nothing
    heard: Heard | None = None

    def document(self, ask: SlotRequest, caller: Caller) -> Served | None:
        answer = self.witness.explain(ask, caller) if self.heard is not None else None
        if self.heard is not None and answer is not None:
            self.heard(ask, caller, answer)
        return super().document(ask, caller)


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
        turntable = Turntable()
        uncounted = msgspec.structs.replace(self.memory, tally=Tally())
        self.serve = self._serving(ToldServe, self.memory, turntable)
        self.serve.witness = self._serving(Serve, uncounted, turntable.look)

    def _serving(self, kind: type[AnyServe], memory: Memory, dice: Callable[[], float]) -> AnyServe:
        return kind(
            memory,
            self.storage,
            self.refresh.if_stale,
            self.clock,
            Chance(self.mint_key, dice),
            Secrets(self.token_keys(), bytes.fromhex(self.keys.orders)),
            self.serving_policy(),
        )

    def token_keys(self) -> TokenKeys:
        ring = {number: bytes.fromhex(key) for number, key in self.keys.tokens.items()}
        return TokenKeys(self.keys.current, ring)
