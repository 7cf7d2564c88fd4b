"""The first page, and who may enter: users, their roles, and links that invite."""

from typing import Annotated

from fastapi import Path
from fastapi.responses import Response

from adserver.domain.campaign import Advertiser
from adserver.domain.identity import LARGEST_KEY
from adserver.domain.slot import Publisher
from adserver.domain.user import Flaw, Grant, Role, User
from adserver.flows.network import Progress
from adserver.flows.users import Invited, Why
from adserver.ports import Accounts
from adserver.web.console.navigation import Place, first_address, places_of
from adserver.web.console.page import translations
from adserver.web.console.start import START, check_names
from adserver.web.console.visit import OPERATORS_ONLY, CurrentDesk, CurrentVisit, Desk, OwnForm, Visit, see
from adserver.web.routes import page_router

ACCOUNTS_AT_ONCE = 500
MOST_DIGITS = 19
USERS = "/console/network/users"

router = page_router("/console")
UserKey = Annotated[int, Path(ge=0, le=LARGEST_KEY)]


def role_names(language: str) -> dict[str, str]:
    """What each role does, in words."""
    words = translations(language).gettext
    return {
        Role.OPERATOR: words("Runs the network"),
        Role.ADVERTISER: words("Campaigns and money"),
        Role.WEBMASTER: words("Tag, feeds and events"),
        Role.PUBLISHER: words("Sites, slots and earnings"),
    }


@router.get("")
def home(desk: CurrentDesk, visit: CurrentVisit) -> Response:
    """The accounts that are the visitor's; where there is but one, its first page at once."""
    user = visit.signed_in.user
    if not user.is_operator:
        places = places_of(desk.accounts, user, visit.may, visit.language)
        if len(places) == 1 and places[0].address is not None:
            return see(places[0].address)
        return _home(visit, places, None)
    advertisers, publishers = _accounts(desk.accounts)
    named = [("shop", one.key, one.name, Role.ADVERTISER) for one in advertisers]
    named += [("publisher", one.key, one.name, Role.PUBLISHER) for one in publishers]
    places = [
        Place(name, role, first_address(area, key, visit.may, visit.language))
        for area, key, name, role in named
    ]
    network = desk.network.network()
    if not places and not network.version:
        return see(START)  # an operator's first visit
    return _home(visit, places, None if network.hides_checks else desk.network.progress())


def _home(visit: Visit, places: list[Place], progress: Progress | None) -> Response:
    """`progress` is that of an operator's network, as long as it is looked at."""
    names = check_names(visit.language)
    return visit.page(
        "home.html", places=places, roles=role_names(visit.language), progress=progress, checks=names
    )


@router.get("/network/users", dependencies=[OPERATORS_ONLY])
def users(desk: CurrentDesk, visit: CurrentVisit) -> Response:
    return _users(desk, visit, 200)


@router.post("/network/users", dependencies=[OPERATORS_ONLY])
def invite(desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    grant = grant_of(form.get("grant", ""))
    invited = desk.users.invite(
        visit.signed_in.user, form.get("email", ""), () if grant is None else (grant,)
    )
    if isinstance(invited, Invited):
        link = f"{desk.base_url}/console/welcome/{invited.text}"
        return _users(desk, visit, 200, link=link, invited=invited.invitation.email)
    return _users(desk, visit, 422, no=invited, email=form.get("email", ""))


@router.post("/network/users/{key}/disable", dependencies=[OPERATORS_ONLY])
def disable(key: UserKey, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    return _changed(desk, visit, desk.users.set_enabled(visit.signed_in.user, key, enabled=False))


@router.post("/network/users/{key}/enable", dependencies=[OPERATORS_ONLY])
def enable(key: UserKey, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    return _changed(desk, visit, desk.users.set_enabled(visit.signed_in.user, key, enabled=True))


def grant_of(text: str) -> Grant | None:
    """ "role:account" of a form; None where it is nothing of the kind."""
    role, _, owner = text.partition(":")
    if role not in frozenset(Role) or (owner and not (owner.isascii() and owner.isdigit())):
        return None
    if len(owner) > MOST_DIGITS or int(owner or 0) > LARGEST_KEY:
        return None
    return Grant(Role(role), int(owner) if owner else None)


def _changed(desk: Desk, visit: Visit, outcome: User | Why) -> Response:
    return see(USERS) if isinstance(outcome, User) else _users(desk, visit, 409, no=outcome)


def _users(desk: Desk, visit: Visit, status: int, **words: object) -> Response:
    advertisers, publishers = _accounts(desk.accounts)
    no: Why | Flaw | None = None
    told: dict[str, object] = {
        "users": desk.users.colleagues(visit.signed_in.user),
        "advertisers": advertisers,
        "publishers": publishers,
        "names": _by_key(advertisers, publishers),
        "roles": role_names(visit.language),
        "no": no,
        "link": None,
        "invited": "",
        "email": "",
    }
    return visit.page("users.html", status=status, **(told | words))


def _accounts(accounts: Accounts) -> tuple[list[Advertiser], list[Publisher]]:
    """All there are, by name."""
    advertisers: list[Advertiser] = []
    while some := accounts.advertisers(advertisers[-1].key if advertisers else -1, ACCOUNTS_AT_ONCE):
        advertisers += some
    publishers: list[Publisher] = []
    while others := accounts.publishers(publishers[-1].key if publishers else -1, ACCOUNTS_AT_ONCE):
        publishers += others
    return sorted(advertisers, key=lambda one: one.name), sorted(publishers, key=lambda one: one.name)


def _by_key(advertisers: list[Advertiser], publishers: list[Publisher]) -> dict[int, str]:
    return {one.key: one.name for one in advertisers} | {one.key: one.name for one in publishers}
