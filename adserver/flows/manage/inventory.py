"""Sites and slots: the places that publishers lend."""

from collections.abc import Callable

from msgspec.structs import replace

from adserver.domain.slot import Site, Slot
from adserver.flows.manage.accounts import ManageAccounts
from adserver.flows.manage.admissions import ManageAdmissions
from adserver.flows.manage.checks import dated_hold, sound_site, sound_slot
from adserver.flows.manage.desk import NOT_FOUND, Desk, Reach, ReceiptOf, Refused, Why
from adserver.writes import Scope


class ManageInventory:
    def __init__(self, desk: Desk, accounts: ManageAccounts) -> None:
        self._desk = desk
        self._accounts = accounts
        self.admissions = ManageAdmissions(desk, accounts)

    def site(self, reach: Reach, key: int) -> Site | Refused:
        found = self._desk.inventory.site(key)
        return found if found is not None and reach.publisher(found.publisher_key) else NOT_FOUND

    def sites(self, reach: Reach, publisher_key: int | None, after: int, limit: int) -> list[Site] | Refused:
        """The publisher's sites; of all that the caller reaches where none is named."""
        if publisher_key is None and not reach.is_operator:
            publisher_key = reach.owner_key if reach.scope is Scope.PUBLISHER else None
            if publisher_key is None:
                return []
        if publisher_key is not None:
            owner = self._accounts.publisher(reach, publisher_key)
            if isinstance(owner, Refused):
                return owner
        return self._desk.inventory.sites(publisher_key, after, limit)

    def create_site(
        self, reach: Reach, draft: Site, receipt_of: ReceiptOf[Site] | None = None
    ) -> Site | Refused:
        owner = self._accounts.publisher(reach, draft.publisher_key)
        if isinstance(owner, Refused):
            return owner
        sound = sound_site(draft)
        if isinstance(sound, Why):
            return Refused(sound)
        key, now_ms = self._desk.mint_key(), self._desk.clock()
        return self._desk.create(replace(sound, key=key, created_at_ms=now_ms), receipt_of)

    def change_site(self, reach: Reach, key: int, edit: Callable[[Site], Site]) -> Site | Refused:
        """Change a site; whether its assertions of consent are believed, only the operator says."""
        known = self.site(reach, key)
        if isinstance(known, Refused):
            return known
        wished = sound_site(edit(known))
        if isinstance(wished, Why):
            return Refused(wished)
        if wished.consent_hold is not known.consent_hold and not reach.is_operator:
            return Refused(Why.FORBIDDEN)
        wished = dated_hold(known, wished, self._desk.clock())
        fixed = {"publisher_key": known.publisher_key, "created_at_ms": known.created_at_ms}
        return self._desk.replace(replace(wished, key=known.key, **fixed))

    def slot(self, reach: Reach, key: int) -> Slot | Refused:
        found = self._desk.inventory.slot(key)
        if found is None or isinstance(self.site(reach, found.site_key), Refused):
            return NOT_FOUND
        return found

    def slots(self, reach: Reach, site_key: int, after: int, limit: int) -> list[Slot] | Refused:
        site = self.site(reach, site_key)
        if isinstance(site, Refused):
            return site
        return self._desk.inventory.slots(site_key, after, limit)

    def slots_of_all(self, reach: Reach, limit: int) -> list[Slot]:
        """The network's slots, for the operator."""
        return self._desk.inventory.slots(None, -1, limit) if reach.is_operator else []

    def create_slot(
        self, reach: Reach, draft: Slot, receipt_of: ReceiptOf[Slot] | None = None
    ) -> Slot | Refused:
        site = self.site(reach, draft.site_key)
        if isinstance(site, Refused):
            return site
        sound = sound_slot(draft)
        if isinstance(sound, Why):
            return Refused(sound)
        key, now_ms = self._desk.mint_key(), self._desk.clock()
        return self._desk.create(replace(sound, key=key, created_at_ms=now_ms), receipt_of)

    def change_slot(self, reach: Reach, key: int, edit: Callable[[Slot], Slot]) -> Slot | Refused:
        known = self.slot(reach, key)
        if isinstance(known, Refused):
            return known
        wished = sound_slot(edit(known))
        if isinstance(wished, Why):
            return Refused(wished)
        fixed = {"site_key": known.site_key, "created_at_ms": known.created_at_ms}
        return self._desk.replace(replace(wished, key=known.key, **fixed))
