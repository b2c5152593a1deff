"""What people ask about images, and order of them. Part of `controllers.operator.service`."""

import msgspec

from supervisor.controllers.operator.image_listing import ImageListing
from supervisor.model.image_status import ImageList


class ImageService(msgspec.Struct, frozen=True, kw_only=True):
    """One for the daemon."""

    listing: ImageListing

    async def list(self, app: str = "") -> ImageList:
        """The images of all apps, or of one. Raises Stalled for an unknown app."""
        return ImageList(running=True, images=await self.listing.of([app] if app else ()))
