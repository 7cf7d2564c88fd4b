"""API keys for people: made for the network or an account, shown once, replaced and revoked."""

from collections.abc import Sequence

import msgspec
from fastapi.responses import Response

from adserver.domain.identity import read_id, write_id
from adserver.domain.user import Role
from adserver.domain.visitor import DAY_MS
from adserver.flows.manage import NewKey, Reach, Refused
from adserver.web.console.figures import day, moment
from adserver.web.console.owners import Id, publisher_of, reach_of, shop_of
from adserver.web.console.page import translations
from adserver.web.console.visit import OPERATORS_ONLY, CurrentDesk, CurrentVisit, Desk, OwnForm, Visit, see
from adserver.web.routes import page_router
from adserver.web.schemas.fields import Name, Text, write_time
from adserver.writes import Access, ApiKey, Scope

LIFETIMES_DAYS = (30, 90, 365)  # 0, none of these, for a key that stays
NAME = Text(Name)

router = page_router("/console")


class Ring(msgspec.Struct, frozen=True):
    """Whose keys a page shows: `accesses` are those that its reader may give."""

    root: str
    name: str
    reach: Reach
    scope: Scope
    owner_key: int | None
    timezone: str
    accesses: tuple[Access, ...]


class Line(msgspec.Struct, frozen=True):
    """A key as its row shows it."""

    id: str
    name: str
    hint: str
    access: Access
    state: str  # open or over
    times: "dict[str, tuple[str, str]]"  # for programs, and for people


def network_ring() -> Ring:
    accesses = (Access.READ, Access.FULL)
    return Ring("/console/network/keys", "", Reach(Scope.OPERATOR), Scope.OPERATOR, None, "UTC", accesses)


def shop_ring(desk: Desk, visit: Visit, shop: str) -> Ring:
    """A webmaster, who sees nothing of money, has keys that tell events."""
    owner = shop_of(desk, visit, shop, Role.ADVERTISER, Role.WEBMASTER)
    is_advertiser = visit.may(Role.ADVERTISER, owner_key=owner.key)
    accesses = (Access.EVENTS, Access.READ, Access.FULL) if is_advertiser else (Access.EVENTS,)
    root = f"/console/shop/{shop}/keys"
    return Ring(root, owner.name, reach_of(owner), Scope.ADVERTISER, owner.key, owner.timezone, accesses)


def publisher_ring(desk: Desk, visit: Visit, publisher: str) -> Ring:
    owner = publisher_of(desk, visit, publisher)
    root, accesses = f"/console/publisher/{publisher}/keys", (Access.READ, Access.FULL)
    return Ring(root, owner.name, reach_of(owner), Scope.PUBLISHER, owner.key, "UTC", accesses)


# ---- the network's ----


@router.get("/network/keys", dependencies=[OPERATORS_ONLY])
def network_keys(desk: CurrentDesk, visit: CurrentVisit) -> Response:
    return _page(network_ring(), desk, visit, 200)


@router.post("/network/keys", dependencies=[OPERATORS_ONLY])
def make_network_key(desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    return _make(network_ring(), desk, visit, form)


@router.post("/network/keys/{key}/{action}", dependencies=[OPERATORS_ONLY])
def change_network_key(
    key: Id, action: Id, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm
) -> Response:
    return _change(network_ring(), desk, visit, key, action)


# ---- an advertiser's ----


@router.get("/shop/{shop}/keys")
def shop_keys(shop: Id, desk: CurrentDesk, visit: CurrentVisit) -> Response:
    return _page(shop_ring(desk, visit, shop), desk, visit, 200)


@router.post("/shop/{shop}/keys")
def make_shop_key(shop: Id, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    return _make(shop_ring(desk, visit, shop), desk, visit, form)


@router.post("/shop/{shop}/keys/{key}/{action}")
def change_shop_key(
    shop: Id, key: Id, action: Id, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm
) -> Response:
    return _change(shop_ring(desk, visit, shop), desk, visit, key, action)


# ---- a publisher's ----


@router.get("/publisher/{publisher}/keys")
def publisher_keys(publisher: Id, desk: CurrentDesk, visit: CurrentVisit) -> Response:
    return _page(publisher_ring(desk, visit, publisher), desk, visit, 200)


@router.post("/publisher/{publisher}/keys")
def make_publisher_key(publisher: Id, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    return _make(publisher_ring(desk, visit, publisher), desk, visit, form)


@router.post("/publisher/{publisher}/keys/{key}/{action}")
def change_publisher_key(
    publisher: Id, key: Id, action: Id, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm
) -> Response:
    return _change(publisher_ring(desk, visit, publisher), desk, visit, key, action)


# ---- steps ----


def _make(ring: Ring, desk: Desk, visit: Visit, form: dict[str, str]) -> Response:
    access, days, name = form.get("access", ""), form.get("days", ""), NAME.read(form.get("name", ""))
    filled = {"name": form.get("name", "").strip(), "access": access, "days": days}
    if name is None:
        return _page(ring, desk, visit, 422, no="key_without_name", filled=filled)
    if access not in ring.accesses:
        return _page(ring, desk, visit, 422, no="key_without_access", filled=filled)
    expires_at_ms = desk.clock() + int(days) * DAY_MS if days in map(str, LIFETIMES_DAYS) else None
    draft = ApiKey(
        key=0,
        digest="",
        scope=ring.scope,
        owner_key=ring.owner_key,
        name=name,
        access=Access(access),
        expires_at_ms=expires_at_ms,
    )
    return _shown_once(ring, desk, visit, desk.manage.keys.create(ring.reach, draft))


def _change(ring: Ring, desk: Desk, visit: Visit, key: str, action: str) -> Response:
    known = next((one for one in _keys(ring, desk) if one.key == read_id("key", key)), None)
    if known is None or action not in ("rotate", "revoke"):
        return _page(ring, desk, visit, 404, no="not_found")
    if action == "rotate":
        return _shown_once(ring, desk, visit, desk.manage.keys.rotate(ring.reach, known.key))
    revoked = desk.manage.keys.revoke(ring.reach, known.key)
    if isinstance(revoked, Refused):
        return _page(ring, desk, visit, 409, no=str(revoked.reason))
    return see(ring.root, "revoked")


def _shown_once(ring: Ring, desk: Desk, visit: Visit, made: NewKey | Refused) -> Response:
    if isinstance(made, Refused):
        return _page(ring, desk, visit, 409, no=str(made.reason))
    return _page(ring, desk, visit, 200, made=made)


def _keys(ring: Ring, desk: Desk) -> Sequence[ApiKey]:
    """Those that the page's reader may know of."""
    found = desk.manage.keys.of_owner(ring.reach, ring.owner_key)
    return [] if isinstance(found, Refused) else [one for one in found if one.access in ring.accesses]


def _page(ring: Ring, desk: Desk, visit: Visit, status: int, **words: object) -> Response:
    keys = _keys(ring, desk)
    used, now_ms = desk.manage.keys.last_used(keys), desk.clock()
    lines = [_line(one, used.get(one.key), now_ms, ring.timezone, visit.language) for one in keys]
    filled = {"name": "", "access": ring.accesses[0], "days": "365"}
    told: dict[str, object] = {"no": None, "made": None, "filled": filled}
    return visit.page(
        "keys.html",
        status=status,
        ring=ring,
        lines=lines,
        accesses=access_names(visit.language),
        lifetimes=LIFETIMES_DAYS,
        **(told | words),
    )


def _line(key: ApiKey, used_ms: int | None, now_ms: int, timezone: str, language: str) -> Line:
    times = {"created": (write_time(key.created_at_ms), day(key.created_at_ms, timezone, language))}
    if key.expires_at_ms is not None:
        times["expires"] = (write_time(key.expires_at_ms), moment(key.expires_at_ms, timezone, language))
    if key.revoked_at_ms is not None:
        times["revoked"] = (write_time(key.revoked_at_ms), day(key.revoked_at_ms, timezone, language))
    if used_ms is not None:
        times["used"] = (write_time(used_ms), moment(used_ms, timezone, language))
    state = "open" if key.is_open(now_ms) else "over"
    return Line(write_id("key", key.key), key.name, key.hint, key.access, state, times)


def access_names(language: str) -> dict[str, tuple[str, str]]:
    """What a key of each access may do, and what for."""
    words = translations(language).gettext
    return {
        Access.EVENTS: (words("Tell events and orders"), words("For the shop's own server. Reads nothing.")),
        Access.READ: (words("Read"), words("For reports and dashboards. Changes nothing.")),
        Access.FULL: (words("Read and change"), words("Everything this account may do. Guard it well.")),
    }
