"""What may be written of products' pictures; writes.py has all other changes."""

import msgspec

from adserver.domain.picture import PictureState


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
