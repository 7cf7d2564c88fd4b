"""Several slots of one page are answered as one: nothing twice where there is anything else to show."""

from collections.abc import Callable, Mapping

import msgspec

from adserver.domain.catalogue import Product
from adserver.domain.decision import Decision, NoAd, Request

_NONE: frozenset[int] = frozenset()


def decide_beside(
    request: Request,
    products: Mapping[int, Product],
    decide: Callable[[Request, Mapping[int, Product]], Decision | NoAd],
) -> Decision | NoAd:
    """What `decide` answers, as far as that may be of what the page's other slots show.

    First another campaign with other products is looked for, then the same one with others, but no message
    again, then another with the same products, then any. A competitor of what is there never answers.
    """
    answers = request.page.answers
    if not answers:
        return decide(request, products)
    campaigns = frozenset(one.campaign_key for one in answers)
    messages = frozenset(one.campaign_key for one in answers if not one.product_keys)
    others = beyond(products, request.page.products_answered())
    answer: Decision | NoAd = NoAd({})
    for spared, shown in ((campaigns, others), (messages, others), (campaigns, products), (_NONE, products)):
        answer = decide(msgspec.structs.replace(request, spared=spared), shown)
        if isinstance(answer, Decision):
            break
    return answer


def beyond(products: Mapping[int, Product], keys: frozenset[int]) -> Mapping[int, Product]:
    """Those that are not among the keys."""
    if not keys:
        return products
    return {key: product for key, product in products.items() if key not in keys}
