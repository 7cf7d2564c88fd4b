"""Advertisers change campaigns and products, publishers change slots, the operator opens accounts."""

from collections.abc import Callable

from adserver.flows.manage.accounts import ManageAccounts
from adserver.flows.manage.campaigns import ManageCampaigns, Standing
from adserver.flows.manage.conversions import ManageConversions
from adserver.flows.manage.desk import Desk, Reach, ReceiptOf, Refused, Why
from adserver.flows.manage.inventory import ManageInventory
from adserver.flows.manage.keys import ManageKeys, NewKey
from adserver.flows.manage.products import ManageProducts
from adserver.ports import (
    Accounts,
    Campaigns,
    Catalogue,
    Clock,
    Feeds,
    Inventory,
    Keys,
    Ledger,
    Pending,
    Writer,
)

__all__ = ["Manage", "NewKey", "Reach", "ReceiptOf", "Refused", "Standing", "Why"]


class Manage:
    """The management flow. Each method fetches, decides, writes, and answers the entity or `Refused`."""

    def __init__(  # noqa: PLR0913  every port of management, by name
        self,
        *,
        writer: Writer,
        accounts: Accounts,
        campaigns: Campaigns,
        inventory: Inventory,
        keys: Keys,
        catalogue: Catalogue,
        feeds: Feeds,
        ledger: Ledger,
        pending: Pending,
        clock: Clock,
        mint_key: Callable[[], int],
        mint_secret: Callable[[], str],
    ) -> None:
        desk = Desk(
            writer=writer,
            accounts=accounts,
            campaigns=campaigns,
            inventory=inventory,
            keys=keys,
            catalogue=catalogue,
            feeds=feeds,
            ledger=ledger,
            pending=pending,
            clock=clock,
            mint_key=mint_key,
            mint_secret=mint_secret,
        )
        self.clock = clock
        self.accounts = ManageAccounts(desk)
        self.campaigns = ManageCampaigns(desk, self.accounts)
        self.inventory = ManageInventory(desk, self.accounts)
        self.products = ManageProducts(desk, self.accounts)
        self.conversions = ManageConversions(desk, self.accounts)
        self.keys = ManageKeys(desk)
