"""A publisher's word on an advertiser holds, whatever was said before."""

from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.admission import Admission, admissions, admitted, refused
from adserver.domain.blocks import Blocks
from tests.domain.makers import ADVERTISER, make_advertiser

SHOP = make_advertiser(domains=("shop.example",))
keys = st.lists(st.sampled_from([ADVERTISER, 7, 8]), max_size=3).map(tuple)
domains = st.lists(
    st.sampled_from(["shop.example", "www.shop.example", "example", "other.example"]), max_size=3
).map(tuple)
blocks = st.builds(
    Blocks, advertisers=keys, domains=domains, only_approved=st.booleans(), approved=keys,
    approved_domains=domains,
)  # fmt: skip


def standing(wish: Blocks) -> Admission:
    return admissions(wish, {ADVERTISER: SHOP})[ADVERTISER]


@given(blocks)
def test_who_is_let_in_may_be_shown_and_others_stay_as_they_were(before: Blocks) -> None:
    after = admitted(before, SHOP)
    assert standing(after) is (Admission.APPROVED if before.only_approved else Admission.SHOWN)
    assert {*after.advertisers} == {*before.advertisers} - {ADVERTISER}
    assert {*after.approved} == {*before.approved} | {ADVERTISER}
    assert {"other.example"} & {*after.domains} == {"other.example"} & {*before.domains}


@given(blocks)
def test_who_is_refused_is_kept_out_and_may_be_let_in_again(before: Blocks) -> None:
    after = refused(before, SHOP)
    assert standing(after) is Admission.REFUSED
    assert standing(admitted(after, SHOP)) in (Admission.APPROVED, Admission.SHOWN)
    assert refused(after, SHOP) == after


def test_who_sells_what_is_not_wanted_is_told_apart() -> None:
    wine = make_advertiser(categories=("Food > Wine",))
    wish = admitted(Blocks(categories=("Food",)), wine)
    assert admissions(wish, {ADVERTISER: wine})[ADVERTISER] is Admission.CATEGORY


def test_a_publisher_that_asks_to_be_asked_has_new_ones_wait() -> None:
    assert standing(Blocks(only_approved=True)) is Admission.WAITING
