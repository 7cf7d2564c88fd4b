"""An advertiser's own picture or logo becomes a picture of ours, for messages and brands."""

import msgspec

from adserver.ports import Media, Pictures
from creatives.pictures import PictureRejection, Thumbnail


class Uploaded(msgspec.Struct, frozen=True):
    """Where creatives find it, and its size in pixels."""

    address: str
    width: int
    height: int


class Upload:
    """Pictures of advertisers are as untrusted as those of feeds, and go the same way."""

    def __init__(self, media: Media, pictures: Pictures) -> None:
        self._media = media
        self._pictures = pictures

    def take(self, data: bytes) -> Uploaded | PictureRejection:
        """Keep what was drawn anew of it; the same picture once more is the same address."""
        made = self._pictures.thumbnail(data)
        if not isinstance(made, Thumbnail):
            return made
        self._media.put(made)
        return Uploaded(f"/media/{made.hash}.jpg", made.width, made.height)
