"""What is told of images."""

from knarr.events import Event
from knarr.image.model import Image


def image_event(action: str, image: Image, name: str) -> Event:
    """An event with the image's labels and how it was called."""
    attributes = {**image.config.labels, "name": name}
    return Event(type="image", action=action, actor=image.id, attributes=attributes)
