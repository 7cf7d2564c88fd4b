"""Pools of single-use codes: advertisers make them, upload codes, and see what became of those."""

from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from adserver.domain.offer import AddCodes, OfferPool, PoolKind, Stock, code_key, sound_code
from adserver.flows.manage.accounts import ManageAccounts
from adserver.flows.manage.desk import NOT_FOUND, Desk, Reach, ReceiptOf, Refused, Why, until_settled
from adserver.writes import Result

ADDED_AT_ONCE = 1_000  # codes: some milliseconds, in which nothing else is written


class BadCode(StrEnum):
    """Why a code of an upload was left out."""

    BAD = "bad_code"  # not 4 to 40 of A-Z, a-z, 0-9, -, _ and .
    REPEATED = "repeated"  # it stands further up in the same upload
    KNOWN = "known"  # the advertiser has it already, in this pool or another


class Flaw(msgspec.Struct, frozen=True):
    line: int
    reason: BadCode


class Uploaded(msgspec.Struct, frozen=True):
    """What became of an upload: how many codes are new, and which lines were left out."""

    added: int
    flaws: list[Flaw]


class ManageOffers:
    def __init__(self, desk: Desk, accounts: ManageAccounts) -> None:
        self._desk = desk
        self._accounts = accounts

    def pool(self, reach: Reach, key: int) -> OfferPool | Refused:
        found = self._desk.offers.pool(key)
        return found if found is not None and reach.advertiser(found.advertiser_key) else NOT_FOUND

    def pools(
        self, reach: Reach, advertiser_key: int | None, after: int, limit: int
    ) -> list[OfferPool] | Refused:
        """The advertiser's pools; of all that the caller reaches where none is named."""
        read = self._desk.offers.pools
        return self._accounts.listed(reach, advertiser_key, lambda owner_key: read(owner_key, after, limit))

    def stocks(self, pools: Sequence[OfferPool]) -> list[Stock]:
        """How the codes of each pool stand now, in their order."""
        stocks = self._desk.offers.stocks([pool.key for pool in pools], self._desk.clock())
        return [stocks.get(pool.key, Stock()) for pool in pools]

    def create(
        self, reach: Reach, draft: OfferPool, receipt_of: ReceiptOf[OfferPool] | None = None
    ) -> OfferPool | Refused:
        """A new pool; one that is to be filled shows no offer before it is."""
        owner = self._accounts.advertiser(reach, draft.advertiser_key)
        if isinstance(owner, Refused):
            return owner
        key, now_ms = self._desk.mint_key(), self._desk.clock()
        low_ms = now_ms if draft.kind is PoolKind.UPLOADED else None
        made = replace(draft, key=key, version=1, created_at_ms=now_ms, low_ms=low_ms)
        return self._desk.create(made, receipt_of)

    def change(self, reach: Reach, key: int, edit: Callable[[OfferPool], OfferPool]) -> OfferPool | Refused:
        """Change what holds for clicks from now on; a code that was handed keeps its time."""
        return until_settled(lambda: self._change(reach, key, edit))

    def _change(self, reach: Reach, key: int, edit: Callable[[OfferPool], OfferPool]) -> OfferPool | Refused:
        known = self.pool(reach, key)
        if isinstance(known, Refused):
            return known
        return self._desk.replace(replace(edit(known), version=known.version + 1))

    def upload(self, reach: Reach, key: int, lines: Sequence[tuple[int, str]]) -> Uploaded | Refused:
        """Put codes into a pool, in pieces; each line that is left out is named, and the rest is in.

        The same upload once more adds nothing.
        """
        pool = self.pool(reach, key)
        if isinstance(pool, Refused):
            return pool
        if pool.kind is PoolKind.GENERATED:
            return Refused(Why.CODES_ARE_MADE)
        sound, flaws = _sorted_out(lines, pool.advertiser_key)
        upload_key, added = self._desk.mint_key(), 0
        for start in range(0, len(sound), ADDED_AT_ONCE):
            piece = sound[start : start + ADDED_AT_ONCE]
            codes = tuple(code for _, code, _ in piece)
            write = AddCodes(pool.key, pool.advertiser_key, upload_key, codes, self._desk.clock())
            if self._desk.writer.commit(write).result is not Result.SAVED:
                return Refused(Result.UNRECORDED)
            new = self._desk.offers.uploaded(upload_key, [code_key for _, _, code_key in piece])
            added += len(new)
            flaws += [Flaw(line, BadCode.KNOWN) for line, _, code_key in piece if code_key not in new]
        return Uploaded(added, sorted(flaws, key=lambda flaw: flaw.line))


def _sorted_out(
    lines: Sequence[tuple[int, str]], advertiser_key: int
) -> tuple[list[tuple[int, str, int]], list[Flaw]]:
    """Each sound code once, with its line and key; and what is wrong with the other lines."""
    sound: dict[int, tuple[int, str, int]] = {}
    flaws = []
    for line, text in lines:
        code = sound_code(text)
        key = 0 if code is None else code_key(advertiser_key, code)
        if code is None:
            flaws.append(Flaw(line, BadCode.BAD))
        elif key in sound:
            flaws.append(Flaw(line, BadCode.REPEATED))
        else:
            sound[key] = (line, code, key)
    return list(sound.values()), flaws
