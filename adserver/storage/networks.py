"""The network's own row, and what has happened in it at least once."""

from sqlalchemy import Select, exists, literal_column, select

from adserver.domain.network import NETWORK_KEY, Check, Network
from adserver.storage.entities import entity
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import advertisers, campaigns, conversions, counts, decisions, events, products

# Each stops at the first row; of clicks there is no index but their counts, campaign by campaign.
_clicked = (counts.c.owner_key == campaigns.c.key) & (counts.c.name == literal_column("'clicks'"))
# Of pages whose visitors have allowed nothing, only this shows that the tag fires.
_rejected = (
    (counts.c.owner_key == advertisers.c.key)
    & (counts.c.name >= literal_column("'rejected_'"))
    & (counts.c.name < literal_column("'rejected`'"))  # the letter after
)
_heard = exists(select(events.c.event_key)) | exists(select(advertisers.c.key).join(counts, _rejected))
_REACHED: dict[Check, Select[tuple[bool]]] = {
    Check.TAG: select(_heard),
    Check.PRODUCTS: select(exists(select(products.c.key))),
    Check.CAMPAIGN: select(exists(select(campaigns.c.key))),
    Check.AD: select(exists(select(decisions.c.impression_id))),
    Check.CLICK: select(exists(select(campaigns.c.key).join(counts, _clicked))),
    Check.CONVERSION: select(exists(select(conversions.c.conversion_key))),
}
_REACHED_SQL = {check: prepared(statement) for check, statement in _REACHED.items()}


class SqliteNetworks:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def network(self) -> Network | None:
        return entity(self._reader, Network, NETWORK_KEY)

    def reached(self) -> frozenset[Check]:
        rows = {check: self._reader.row(statement) for check, statement in _REACHED_SQL.items()}
        return frozenset(check for check, row in rows.items() if row is not None and row[0])
