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

    entered: int = 0  # visitors
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
        self.entered += other.entered
        self.impressions += other.impressions
        self.clicks += other.clicks
        self.purchases += other.purchases
        self.leads += other.leads
        self.revenue_micros += other.revenue_micros
        self.credited_micros += other.credited_micros
        self.spend_micros += other.spend_micros
        self.impression_squares += other.impression_squares
        self.click_squares += other.click_squares
        self.impression_clicks += other.impression_clicks
        self.purchase_squares += other.purchase_squares
        self.lead_squares += other.lead_squares
        self.revenue_squares += other.revenue_squares

    @property
    def click_rate(self) -> Moments:
        """Of impressions, with the visitor as the unit: who clicks once is likelier to click again."""
        return Moments(
            self.entered,
            self.clicks,
            self.click_squares,
            self.impressions,
            self.impression_squares,
            self.impression_clicks,
        )

    @property
    def of_purchases(self) -> Moments:
        return per_visitor(self.entered, self.purchases, self.purchase_squares)

    @property
    def of_leads(self) -> Moments:
        return per_visitor(self.entered, self.leads, self.lead_squares)

    @property
    def of_revenue(self) -> Moments:
        return per_visitor(self.entered, self.revenue_micros / _MICROS, self.revenue_squares)


FIGURES = Sums.__struct_fields__


def change(before: Participant | None, after: Participant) -> Sums:
    """What a visitor's doings add to the sums of their arm; without `before`, they have just entered."""
    known = before or _NOTHING
    return Sums(
        int(before is None),
        after.impressions - known.impressions,
        after.clicks - known.clicks,
        after.purchases - known.purchases,
        after.leads - known.leads,
        after.revenue_micros - known.revenue_micros,
        after.credited_micros - known.credited_micros,
        after.spend_micros - known.spend_micros,
        after.impressions**2 - known.impressions**2,
        after.clicks**2 - known.clicks**2,
        after.impressions * after.clicks - known.impressions * known.clicks,
        after.purchases**2 - known.purchases**2,
        after.leads**2 - known.leads**2,
        (after.revenue_micros / _MICROS) ** 2 - (known.revenue_micros / _MICROS) ** 2,
    )


_NOTHING = Participant()
