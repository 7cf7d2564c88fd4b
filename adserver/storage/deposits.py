"""Deposits: what an advertiser paid in, a budget of its whole life where it is prepaid."""

from sqlalchemy import bindparam, insert, select

from adserver.domain.audit_log import Action, Difference
from adserver.domain.budget import WHOLE_LIFE, life_cap
from adserver.domain.campaign import Advertiser
from adserver.domain.chain import deposit_entry
from adserver.domain.money import Micros
from adserver.storage.audit_log import tell
from adserver.storage.batch import Batch
from adserver.storage.caps import deposited, set_caps, used
from adserver.storage.entities import stored
from adserver.storage.sqlite import prepared
from adserver.storage.tables import deposits
from adserver.writes import Deposit, Outcome, Result

_KNOWN = prepared(
    select(deposits.c.amount_micros).where(
        deposits.c.advertiser_key == bindparam("advertiser_key"),
        deposits.c.reference == bindparam("reference"),
    )
)
_INSERT = prepared(insert(deposits))
DEPOSITS = "deposits"  # the posting account that an advertiser's payments come from


def deposit(batch: Batch, write: Deposit) -> Outcome:
    """Book a payment once for its reference; the cap of a prepaid account moves with it.

    Paying back more than is left, or taking back what was never paid in, is BELOW_SPENT with the figure
    that must remain.
    """
    key = {"advertiser_key": write.advertiser_key, "reference": write.reference}
    known = batch.connection.execute(_KNOWN, key).fetchone()
    if known is not None:
        result = Result.SAVED if known[0] == write.amount_micros else Result.DEPOSIT_EXISTS
        return Outcome(result, known[0])
    advertiser = stored(batch, Advertiser, write.advertiser_key)
    if advertiser is None or advertiser.currency != write.currency:  # changed since it was read
        return Outcome(Result.CONFLICT)
    total = deposited(batch, write.advertiser_key) + write.amount_micros
    least = used(batch, write.advertiser_key, WHOLE_LIFE) if advertiser.prepaid else 0
    if total < least:
        return Outcome(Result.BELOW_SPENT, least)
    if advertiser.prepaid:
        cap = life_cap(advertiser.total_budget_micros, Micros(total))
        set_caps(batch, advertiser.key, ((WHOLE_LIFE, cap, advertiser.daily_budget_micros),))
    entry = batch.append_note(
        write.advertiser_key,
        lambda number: deposit_entry(
            number, write.deposit_key, write.amount_micros, write.reference, write.at_ms
        ),
    )
    row = {
        "deposit_key": write.deposit_key,
        **key,
        "at_ms": write.at_ms,
        "currency": write.currency,
        "amount_micros": write.amount_micros,
        "entry": entry,
    }
    batch.connection.execute(_INSERT, row)
    batch.post(f"advertiser:{write.advertiser_key}", write.currency, write.amount_micros)
    batch.post(DEPOSITS, write.currency, -write.amount_micros)
    paid = Difference("amount_micros", None, str(write.amount_micros))
    about = ("Advertiser", write.advertiser_key, advertiser.name)
    tell(batch, write.by, write.at_ms, Action.DEPOSITED, about, (paid,))
    return Outcome(Result.SAVED, write.amount_micros)
