"""What people call the groups of a report."""

from collections.abc import Callable, Collection

from adserver.domain.identity import write_id
from adserver.domain.pricing import CONTEXTUAL
from adserver.domain.report import PREFIXES, Dimension, GroupName
from adserver.flows.report.scope import Scope
from adserver.ports import Stores

UNKNOWN = GroupName("", "(unknown)")
OF_THE_PAGE = GroupName("contextual", "(contextual)")  # shown for its page, to members of no audience

Key = int | str


class Names:
    """Each is looked up once for a report."""

    def __init__(self, stores: Stores, scope: Scope) -> None:
        self._stores = stores
        self._scope = scope
        self._of: dict[Dimension, Callable[[Collection[Key]], dict[Key, str]]] = {
            Dimension.ADVERTISER: self._advertisers,
            Dimension.CAMPAIGN: lambda keys: {key: scope.campaigns[int(key)].name for key in keys},
            Dimension.CREATIVE: self._creatives,
            Dimension.PRODUCT: self._products,
            Dimension.PUBLISHER: lambda _: {one.publisher_key: one.publisher for one in scope.slots.values()},
            Dimension.SITE: lambda _: {one.site_key: one.site for one in scope.slots.values()},
            Dimension.SLOT: lambda _: {one.slot_key: one.name for one in scope.slots.values()},
            Dimension.AUDIENCE: self._audiences,
        }

    def of(self, dimension: Dimension, keys: Collection[Key]) -> dict[Key, GroupName]:
        """Of each of these, by its key."""
        wanted = {key for key in keys if key not in (0, "", CONTEXTUAL)}
        texts = self._of[dimension](wanted) if dimension in self._of else {}
        found: dict[Key, GroupName] = dict.fromkeys(keys, UNKNOWN)
        for key in wanted:
            id_ = write_id(PREFIXES[dimension], int(key)) if dimension in PREFIXES else str(key)
            found[key] = GroupName(id_, texts.get(key) or id_)
        if CONTEXTUAL in found:
            found[CONTEXTUAL] = OF_THE_PAGE
        return found

    def _advertisers(self, keys: Collection[Key]) -> dict[Key, str]:
        found = {key: self._stores.accounts.advertiser(int(key)) for key in keys}
        return {key: one.name for key, one in found.items() if one is not None}

    def _creatives(self, keys: Collection[Key]) -> dict[Key, str]:
        """By what they look like, since creatives have no name; of one campaign there are few."""
        found = {key: self._stores.campaigns.creative(int(key)) for key in keys}
        return {
            key: one.message.headline if one.message is not None else f"{one.brand.name} {one.template}"
            for key, one in found.items()
            if one is not None
        }

    def _products(self, keys: Collection[Key]) -> dict[Key, str]:
        return {key: one.title for key, one in self._stores.catalogue.products(map(int, keys)).items()}

    def _audiences(self, keys: Collection[Key]) -> dict[Key, str]:
        found = {key: self._stores.audiences.audience(int(key)) for key in keys}
        return {key: one.name for key, one in found.items() if one is not None}
