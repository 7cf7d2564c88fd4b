"""What may be written of the catalogue: products, and their pictures."""

import msgspec

from adserver.domain.catalogue import Product
from adserver.domain.picture import PictureState


class SaveProducts(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Insert or replace products; the keys tell which feed's which import saw them last.

    Both are 0 from the API, which leaves a feed's product with its feed. `at_ms` is since when their prices
    are asked; where it is not told none is noted, and nothing is struck through for them. `read_ms` is of
    when an import's rows are, where that is earlier: what the API has put later stays as it was put. `was`:
    what the API has made them of; where one is otherwise by now, CONFLICT, and nothing is saved.
    """

    advertiser_key: int
    products: tuple[Product, ...]
    feed_key: int = 0
    import_key: int = 0
    at_ms: int = 0
    was: tuple[Product, ...] = ()
    read_ms: int = 0


class RemoveProductsNotIn(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """End of an import: what it did not see of its feed leaves the catalogue.

    Products of other feeds, and those that only the API put, stay.
    """

    feed_key: int
    import_key: int


class DropFeed(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Take out some of a feed's products, as the figure says; once none is left the feed and its imports."""

    feed_key: int


class SetPicture(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A product's picture was fetched: its thumbnail's hash, for as long as `image_link` is the same."""

    advertiser_key: int
    product_key: int
    image_link: str
    picture: str


class KeepPicture(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What came of a try to fetch a product's picture; `picture` is shown from now on, None: as before."""

    advertiser_key: int
    product_key: int
    image_link: str
    picture: str | None
    state: PictureState


class ForgetPictures(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Nothing is fetched any more for these products, which are gone or name no picture."""

    product_keys: tuple[int, ...]


class RetryPictures(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Some of an advertiser's pictures that are in trouble are tried now and not when they are due."""

    advertiser_key: int
    now_ms: int


PictureWrite = KeepPicture | ForgetPictures | RetryPictures
