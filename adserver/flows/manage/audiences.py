"""Audiences: advertisers say who of their visitors belongs together."""

from collections.abc import Callable

from msgspec.structs import replace

from adserver.domain.audience import Audience, all_rules, check, days_kept_instead
from adserver.domain.campaign import Advertiser, Refusal
from adserver.flows.manage.accounts import ManageAccounts
from adserver.flows.manage.desk import NOT_FOUND, Desk, Reach, ReceiptOf, Refused, Why, until_settled


class ManageAudiences:
    def __init__(self, desk: Desk, accounts: ManageAccounts) -> None:
        self._desk = desk
        self._accounts = accounts
        self.retention = desk.retention

    def audience(self, reach: Reach, key: int) -> Audience | Refused:
        found = self._desk.audiences.audience(key)
        return found if found is not None and reach.advertiser(found.advertiser_key) else NOT_FOUND

    def audiences(
        self, reach: Reach, advertiser_key: int | None, after: int, limit: int
    ) -> list[Audience] | Refused:
        """The advertiser's audiences; of all that the caller reaches where none is named."""
        read = self._desk.audiences.audiences
        return self._accounts.listed(reach, advertiser_key, lambda owner_key: read(owner_key, after, limit))

    def create(
        self, reach: Reach, draft: Audience, receipt_of: ReceiptOf[Audience] | None = None
    ) -> Audience | Refused:
        sound = self.sound(reach, draft)
        if isinstance(sound, Refused):
            return sound
        key, now_ms = self._desk.mint_key(), self._desk.clock()
        return self._desk.create(replace(sound, key=key, version=1, created_at_ms=now_ms), receipt_of)

    def sound(self, reach: Reach, draft: Audience) -> Audience | Refused:
        """The draft, unless it could not be saved."""
        owner = self._accounts.advertiser(reach, draft.advertiser_key)
        if isinstance(owner, Refused):
            return owner
        return self._sound(draft, owner)

    def change(self, reach: Reach, key: int, edit: Callable[[Audience], Audience]) -> Audience | Refused:
        """Change who belongs to it from now on; ads that were served keep their rate."""
        return until_settled(lambda: self._change(reach, key, edit))

    def _change(self, reach: Reach, key: int, edit: Callable[[Audience], Audience]) -> Audience | Refused:
        known = self.audience(reach, key)
        if isinstance(known, Refused):
            return known
        changed = replace(
            edit(known),
            key=known.key,
            advertiser_key=known.advertiser_key,
            version=known.version + 1,
            created_at_ms=known.created_at_ms,
        )
        owner = self._accounts.advertiser(reach, known.advertiser_key)
        if isinstance(owner, Refused):
            return owner
        sound = self._sound(changed, owner)
        return sound if isinstance(sound, Refused) else self._desk.replace(sound)

    def _sound(self, audience: Audience, owner: Advertiser) -> Audience | Refused:
        """The audience beside its advertiser: their money, and their product sets."""
        refusal = check(audience)
        if refusal is not None:
            return Refused(refusal)
        kept_days = days_kept_instead(audience, self.retention)
        if kept_days is not None:
            return Refused(Why.LONGER_THAN_KEPT, kept_days)
        set_keys = {rule.items.product_set_key for rule in all_rules(audience) if rule.items is not None}
        if not all(self._owns_set(owner, key) for key in set_keys - {None}):
            return Refused(Refusal.UNKNOWN_PRODUCT_SET)
        return replace(audience, currency=owner.currency)

    def _owns_set(self, owner: Advertiser, set_key: int | None) -> bool:
        found = None if set_key is None else self._desk.product_sets.product_set(set_key)
        return found is not None and found.advertiser_key == owner.key
