"""Whose page it is: the account in its address, where it is the visitor's to see."""

from typing import Annotated

from fastapi import Path

from adserver.domain.campaign import Advertiser
from adserver.domain.identity import read_id
from adserver.domain.slot import Publisher
from adserver.domain.user import Role
from adserver.flows.manage import Reach
from adserver.web.console.visit import Desk, Elsewhere, Visit
from adserver.writes import Scope

Id = Annotated[str, Path()]


def shop_of(desk: Desk, visit: Visit, shop: str, *roles: Role) -> Advertiser:
    """The advertiser, for whoever has one of the roles there; others are sent to their own first page."""
    key = read_id("adv", shop)
    found = None if key is None else desk.accounts.advertiser(key)
    if found is None or not visit.may(*roles, owner_key=found.key):
        raise Elsewhere("/console")
    return found


def publisher_of(desk: Desk, visit: Visit, publisher: str) -> Publisher:
    """The publisher, for whoever works for it; others are sent to their own first page."""
    key = read_id("pub", publisher)
    found = None if key is None else desk.accounts.publisher(key)
    if found is None or not visit.may(Role.PUBLISHER, owner_key=found.key):
        raise Elsewhere("/console")
    return found


def reach_of(owner: Advertiser | Publisher) -> Reach:
    """What may be seen and changed on pages of the account."""
    return Reach(Scope.ADVERTISER if isinstance(owner, Advertiser) else Scope.PUBLISHER, owner.key)
