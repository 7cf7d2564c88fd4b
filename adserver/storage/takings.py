"""What the network took in a time, straight from the ledger."""

from sqlalchemy import bindparam, func, select

from adserver.domain.money import Micros
from adserver.domain.network_totals import Booked
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import charges, publishers, refunds

# Of each publisher, since an index has their rows by time.
_everybody = select(publishers.c.key)
_SUMS = {
    table.name: prepared(
        select(table.c.currency, func.sum(table.c.amount_micros), func.sum(table.c.publisher_micros))
        .where(
            table.c.publisher_key.in_(_everybody),
            table.c.at_ms >= bindparam("start_ms"),
            table.c.at_ms < bindparam("end_ms"),
        )
        .group_by(table.c.currency)
    )
    for table in (charges, refunds)
}


class SqliteTakings:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def booked(self, start_ms: int, end_ms: int) -> list[Booked]:
        """Less what went back in that time."""
        asked = {"start_ms": start_ms, "end_ms": end_ms}
        sums: dict[str, tuple[int, int]] = {}
        for sign, table in ((1, charges), (-1, refunds)):
            for currency, amount, share in self._reader.rows(_SUMS[table.name], asked):
                known = sums.get(currency, (0, 0))
                sums[currency] = (known[0] + sign * amount, known[1] + sign * share)
        return [Booked(key, Micros(sums[key][0]), Micros(sums[key][1])) for key in sorted(sums)]
