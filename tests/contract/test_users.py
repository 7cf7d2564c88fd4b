"""Users have one address each, an invitation works once, and attempts are counted one after the other."""

from concurrent.futures import ThreadPoolExecutor

from msgspec.structs import replace

from adserver.domain.login import FREE_ATTEMPTS, Kind, subjects
from adserver.domain.user import Grant, Invitation, Role, Session, User
from adserver.storage.embedded import Storage
from adserver.writes import (
    Aged,
    AttemptSucceeded,
    BeginSession,
    ClaimAttempt,
    EndSession,
    PurgeAged,
    Result,
    SaveEntity,
    SeeSession,
    Together,
)
from tests.domain.makers import NOW_MS

ANNA = User(key=1, email="anna@example.org", name="Anna", password_hash="x", grants=(Grant(Role.OPERATOR),))
LINK = Invitation(key=3, digest="d", email="bo@example.org", grants=ANNA.grants, expires_at_ms=NOW_MS)
NAMES = subjects(ANNA.email, 5)


def save(storage: Storage, entity: User | Invitation, *, is_new: bool = True) -> Result:
    return storage.writer.commit(SaveEntity(entity, is_new=is_new)).result


def test_a_user_is_found_by_key_and_address_and_no_other_has_it(storage: Storage) -> None:
    assert save(storage, ANNA) is Result.SAVED
    assert storage.users.user(1) == storage.users.user_named(ANNA.email) == ANNA
    assert save(storage, replace(ANNA, key=2)) is Result.CONFLICT
    assert storage.users.users(-1, 10) == [ANNA]


def test_two_who_change_a_user_at_once_do_not_lose_each_others_change(storage: Storage) -> None:
    save(storage, ANNA)
    assert save(storage, replace(ANNA, name="A", version=2), is_new=False) is Result.SAVED
    assert save(storage, replace(ANNA, name="B", version=2), is_new=False) is Result.CONFLICT


def test_an_invitation_makes_one_user_only(storage: Storage) -> None:
    save(storage, LINK)
    assert storage.users.invitation("d") == LINK
    used = replace(LINK, used_at_ms=NOW_MS, version=2)
    for key, result in ((8, Result.SAVED), (9, Result.CONFLICT)):
        user = replace(ANNA, key=key, email=f"bo{key}@example.org")
        later = replace(used, used_at_ms=NOW_MS + key)
        both = Together((SaveEntity(later, is_new=False), SaveEntity(user, is_new=True)))
        assert storage.writer.commit(both).result is result
    assert storage.users.user(9) is None


def test_a_session_begins_is_seen_and_ends(storage: Storage) -> None:
    commit = storage.writer.commit
    assert commit(BeginSession("s", 1, NOW_MS)).result is Result.SAVED
    assert commit(BeginSession("s", 2, NOW_MS)).result is Result.CONFLICT
    commit(SeeSession("s", NOW_MS + 5))
    assert storage.sessions.session("s") == Session("s", 1, NOW_MS, NOW_MS + 5)
    commit(EndSession("s"))
    assert storage.sessions.session("s") is None


def test_of_many_attempts_at_once_only_the_free_ones_are_looked_at(storage: Storage) -> None:
    def claim(_: int) -> int:
        return storage.writer.commit(ClaimAttempt(NAMES, NOW_MS)).figure

    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(claim, range(64)))
    assert waits.count(0) == FREE_ATTEMPTS
    assert set(waits) == {0, 30_000}


def test_a_success_frees_the_account_there_and_leaves_what_others_did(storage: Storage) -> None:
    commit = storage.writer.commit
    elsewhere = subjects(ANNA.email, 6)
    for names in (NAMES, elsewhere):
        for _ in range(FREE_ATTEMPTS):
            commit(ClaimAttempt(names, NOW_MS))
    assert commit(ClaimAttempt(NAMES, NOW_MS)).figure
    commit(AttemptSucceeded(NAMES, NOW_MS))
    assert not commit(ClaimAttempt(NAMES, NOW_MS)).figure
    assert commit(ClaimAttempt(elsewhere, NOW_MS)).figure


def test_sessions_and_attempts_leave_with_their_age(storage: Storage) -> None:
    commit = storage.writer.commit
    commit(BeginSession("s", 1, NOW_MS))
    commit(ClaimAttempt(NAMES, NOW_MS))
    assert commit(PurgeAged(Aged.CONSOLE_SESSIONS, NOW_MS - 1, 10)).figure == 0
    assert commit(PurgeAged(Aged.CONSOLE_SESSIONS, NOW_MS, 10)).figure == 1
    assert commit(PurgeAged(Aged.LOGIN_ATTEMPTS, NOW_MS, 10)).figure == len(Kind)
