"""Whose reports a page shows: an advertiser's, a publisher's or the network's; and what narrows them."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from fastapi import Depends, Request

from adserver.domain.campaign import Advertiser
from adserver.domain.experiment import Experiment
from adserver.domain.identity import write_id
from adserver.domain.report import PREFIXES, Dimension, Metric, ReportQuery, ReportRefused, Side
from adserver.domain.slot import Publisher
from adserver.domain.user import Role
from adserver.flows.manage import Reach, Refused
from adserver.web.console.owners import publisher_of, reach_of, shop_of
from adserver.web.console.report_asked import Asked
from adserver.web.console.report_names import name_in_words
from adserver.web.console.report_words import device_words
from adserver.web.console.visit import CurrentDesk, CurrentVisit, Desk, Elsewhere
from adserver.web.flows import Flows
from adserver.writes import Scope

AT_ONCE = 500


class Place(msgspec.Struct, frozen=True):
    """`root` is its page's address; `api` what names the account in the API's."""

    side: Side
    root: str
    name: str
    api: Mapping[str, str]
    of: Advertiser | Publisher | None

    @property
    def reach(self) -> Reach:
        return Reach(Scope.OPERATOR, None) if self.of is None else reach_of(self.of)


def _place(request: Request, desk: CurrentDesk, visit: CurrentVisit) -> Place:
    shop, publisher = (request.path_params.get(name) for name in ("shop", "publisher"))
    if shop is not None:
        return shop_place(shop_of(desk, visit, shop, Role.ADVERTISER))
    if publisher is not None:
        owner = publisher_of(desk, visit, publisher)
        key = write_id("pub", owner.key)
        root = f"/console/publisher/{key}/reports"
        return Place(Side.PUBLISHER, root, owner.name, {"publisher_id": key}, owner)
    if not visit.may(Role.OPERATOR):
        raise Elsewhere("/console")
    return Place(Side.NETWORK, "/console/network/reports", "", {}, None)


CurrentPlace = Annotated[Place, Depends(_place)]


def experiments(place: Place, flows: Flows) -> list[Experiment]:
    """The advertiser's, the newest last; on other pages there are none."""
    if not isinstance(place.of, Advertiser):
        return []
    found = flows.manage.experiments.experiments(place.reach, place.of.key, -1, AT_ONCE)
    return [] if isinstance(found, Refused) else found


def shop_place(owner: Advertiser) -> Place:
    key = write_id("adv", owner.key)
    return Place(Side.ADVERTISER, f"/console/shop/{key}/reports", owner.name, {"advertiser_id": key}, owner)


class Narrowing(msgspec.Struct, frozen=True):
    """A filter as a form offers it; `others` are asked for, and on no list."""

    dimension: Dimension
    options: Mapping[str, str]
    chosen: tuple[str, ...]


def narrowings(place: Place, flows: Flows, desk: Desk, asked: Asked, language: str) -> list[Narrowing]:
    """What is chosen from most, and whatever else the address asks for, by name."""
    offered: dict[Dimension, Mapping[str, str]] = {}
    if place.side is Side.ADVERTISER:
        offered[Dimension.CAMPAIGN] = _campaigns(place, flows)
    elif place.side is Side.PUBLISHER:
        offered[Dimension.SITE] = _sites(place, flows)
    else:
        offered[Dimension.ADVERTISER] = {write_id("adv", one.key): one.name for one in _advertisers(desk)}
        offered[Dimension.PUBLISHER] = {write_id("pub", one.key): one.name for one in _publishers(desk)}
    offered[Dimension.DEVICE] = device_words(language)
    for dimension, ids in asked.filters.items():
        missing = [one for one in ids if one not in offered.get(dimension, {})]
        if missing:
            known = _names(place, flows, asked, dimension, language)
            named = {one: known.get(one, one) for one in missing}
            offered[dimension] = {**offered.get(dimension, {}), **named}
    return [Narrowing(name, options, asked.filters.get(name, ())) for name, options in offered.items()]


def _names(
    place: Place, flows: Flows, asked: Asked, dimension: Dimension, language: str
) -> Mapping[str, str]:
    """As the report of the period calls them."""
    query = ReportQuery(
        metrics=(Metric.IMPRESSIONS,),
        group_by=(dimension,),
        first=asked.first,
        last=asked.last,
        filters={dimension: asked.query().filters[dimension]},
    )
    report = flows.books.reports.report(place.of, query)
    if isinstance(report, ReportRefused):
        return {}
    return {row.group[0].id: name_in_words(dimension, row.group[0], language) for row in report.rows}


def _campaigns(place: Place, flows: Flows) -> Mapping[str, str]:
    found: dict[str, str] = {}
    after, owner_key = -1, place.of.key if place.of else 0
    while some := flows.manage.campaigns.campaigns(place.reach, owner_key, after, AT_ONCE):
        if isinstance(some, Refused):
            break
        found |= {write_id(PREFIXES[Dimension.CAMPAIGN], one.key): one.name for one in some}
        after = some[-1].key
    return found


def _sites(place: Place, flows: Flows) -> Mapping[str, str]:
    found: dict[str, str] = {}
    after, owner_key = -1, place.of.key if place.of else 0
    while some := flows.manage.inventory.sites(place.reach, owner_key, after, AT_ONCE):
        if isinstance(some, Refused):
            break
        found |= {write_id(PREFIXES[Dimension.SITE], one.key): one.name for one in some}
        after = some[-1].key
    return found


def _advertisers(desk: Desk) -> list[Advertiser]:
    found: list[Advertiser] = []
    while some := desk.accounts.advertisers(found[-1].key if found else -1, AT_ONCE):
        found += some
    return found


def _publishers(desk: Desk) -> list[Publisher]:
    found: list[Publisher] = []
    while some := desk.accounts.publishers(found[-1].key if found else -1, AT_ONCE):
        found += some
    return found
