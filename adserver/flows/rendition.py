"""Pictures that an older version kept as one JPEG get their other renditions when one is first asked for."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor

from adserver.ports import Media, Pictures
from creatives.pictures import PictureRejection, full_name

log = logging.getLogger("adserver.pictures")


class CompletePictures:
    """One at a time, in a thread of its own: whoever draws a visitor's picture does not wait behind these."""

    def __init__(self, media: Media, pictures: Pictures) -> None:
        self._media = media
        self._pictures = pictures
        self._thread = ThreadPoolExecutor(1, "renditions")

    def rendition(self, name: str) -> Future[bytes | None] | None:
        """The bytes of `name`, by and by; None where there is no picture that it could be a rendition of."""
        full = full_name(name)
        if full is None or full == name or self._media.get(full) is None:
            return None
        return self._thread.submit(self._complete, name, full)

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)

    def _complete(self, name: str, full: str) -> bytes | None:
        known = self._media.get(name)  # others may have asked for the same meanwhile
        data = self._media.get(full)
        if known is not None or data is None:
            return known
        made = self._pictures.complete(data)
        if isinstance(made, PictureRejection):
            log.error("the picture %s cannot be read again: %s", full, made.value)
            return None
        self._media.put(made)
        return made.files().get(name)
