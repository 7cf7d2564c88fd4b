"""What a campaign shows of its shop: reminders only, or also what it may suggest, and at what price."""

from enum import StrEnum

import msgspec

from adserver.domain.money import Micros


class ProductChoice(StrEnum):
    """Which products a campaign's cards show."""

    REMINDERS = "reminders"  # what the visitor put into the cart, wished for or viewed, and nothing else
    SIMILAR = "reminders_then_similar"
    BOUGHT_TOGETHER = "bought_together"  # for buyers: what goes with what they bought


class PriceBand(msgspec.Struct, frozen=True, gc=False):
    """How far what is suggested may be from what was looked at last, in per cent of its price."""

    below_percent: int = 50
    above_percent: int = 100

    def holds(self, asked: Micros, looked_at: Micros) -> bool:
        least = looked_at * (100 - self.below_percent)
        return least <= asked * 100 <= looked_at * (100 + self.above_percent)
