"""What became of products' pictures, as JSON."""

from collections.abc import Sequence

from pydantic import Field

from adserver.domain.picture import PictureCounts, Shown, Trouble
from adserver.domain.picture_advice import advice
from adserver.web.schemas.fields import Paging, ShownTime, Strict


class ReasonAnswer(Strict):
    reason: str = Field(description="why pictures are not shown, by name")
    products: int = Field(description="that show nothing for it")
    substituted: int = Field(description="that show another or an older picture instead")
    advice: str = Field(description="what to do, in words")


class PicturesAnswer(Strict):
    """How an advertiser's products are illustrated, and what is wrong with the rest."""

    products: int
    shown: int = Field(description="have a picture of ours")
    waiting: int = Field(description="not tried yet")
    without_address: int = Field(description="name no `image_link`")
    reasons: list[ReasonAnswer]


class TroubleAnswer(Strict):
    item_id: str
    title: str
    image_link: str | None
    reason: str
    advice: str
    shown: Shown = Field(description="what its cards show meanwhile")
    failures: int = Field(description="tries in a row that gave no picture at all")
    tried_at: ShownTime
    next_try_at: ShownTime


class TroublePaging(Paging):
    reason: str | None = Field(default=None, max_length=100, description="only those that fail for it")


class RetryAnswer(Strict):
    retried: int = Field(description="products whose pictures are tried again now")


def show_pictures(counts: PictureCounts) -> PicturesAnswer:
    of_both = {
        reason: (counts.reasons.get(reason, 0), counts.substituted.get(reason, 0))
        for reason in counts.reasons | counts.substituted
    }
    return PicturesAnswer(
        products=counts.products,
        shown=counts.shown,
        waiting=counts.waiting,
        without_address=counts.without_address,
        reasons=[
            ReasonAnswer(reason=reason, products=bare, substituted=substituted, advice=advice(reason))
            for reason, (bare, substituted) in sorted(
                of_both.items(), key=lambda entry: (-sum(entry[1]), entry[0])
            )
        ],
    )


def show_trouble(trouble: Trouble) -> TroubleAnswer:
    product, state = trouble.product, trouble.state
    reason = state.reason or ""
    return TroubleAnswer(
        item_id=product.item_id,
        title=product.title,
        image_link=product.image_link,
        reason=reason,
        advice=advice(reason),
        shown=state.shown(product),
        failures=state.failures,
        tried_at=state.tried_ms,
        next_try_at=state.due_ms,
    )


def show_troubles(troubles: Sequence[Trouble]) -> list[TroubleAnswer]:
    return [show_trouble(trouble) for trouble in troubles]
