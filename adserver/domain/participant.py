"""What a visitor does in an experiment, and what all of an arm do: sums that are kept as it happens."""

import msgspec

from adserver.domain.intervals import Moments, per_visitor

_MICROS = 1_000_000


class Participant(msgspec.Struct):
    """What one visitor did, and cost, since entering an arm."""

    impressions: int = 0
    clicks: int = 0
    purchases: int = 0
    leads: int = 0
    revenue_micros: int = 0
    credited_micros: int = 0  # of the revenue, what attribution gives to ads
    spend_micros: int = 0


class Sums(msgspec.Struct):
    """All of an arm's visitors together; squares of money are of whole units, of counts exact."""

    visitors: int = 0
    impressions: int = 0
    clicks: int = 0
    purchases: int = 0
    leads: int = 0
    revenue_micros: int = 0
    credited_micros: int = 0
    spend_micros: int = 0
    impression_squares: int = 0
    click_squares: int = 0
    impression_clicks: int = 0
    purchase_squares: int = 0
    lead_squares: int = 0
    revenue_squares: float = 0.0

    def add(self, other: "Sums") -> None:
        for name in FIGURES:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def click_rate(self) -> Moments:
        """Of impressions, with the visitor as the unit: who clicks once is likelier to click again."""
        return Moments(
            self.visitors,
            self.clicks,
            self.click_squares,
            self.impressions,
            self.impression_squares,
            self.impression_clicks,
        )

    @property
    def of_purchases(self) -> Moments:
        return per_visitor(self.visitors, self.purchases, self.purchase_squares)

    @property
    def of_leads(self) -> Moments:
        return per_visitor(self.visitors, self.leads, self.lead_squares)

    @property
    def of_revenue(self) -> Moments:
        return per_visitor(self.visitors, self.revenue_micros / _MICROS, self.revenue_squares)


FIGURES = Sums.__struct_fields__
_COUNTED = Participant.__struct_fields__


def change(before: Participant | None, after: Participant) -> Sums:
    """What a visitor's doings add to the sums of their arm; without `before`, they have just entered."""
    known = before or Participant()
    sums = Sums(visitors=int(before is None))
    for name in _COUNTED:
        setattr(sums, name, getattr(after, name) - getattr(known, name))
    sums.impression_squares = after.impressions**2 - known.impressions**2
    sums.click_squares = after.clicks**2 - known.clicks**2
    sums.impression_clicks = after.impressions * after.clicks - known.impressions * known.clicks
    sums.purchase_squares = after.purchases**2 - known.purchases**2
    sums.lead_squares = after.leads**2 - known.leads**2
    sums.revenue_squares = (after.revenue_micros / _MICROS) ** 2 - (known.revenue_micros / _MICROS) ** 2
    return sums
