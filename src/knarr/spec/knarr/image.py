"""What knarr shows of images beyond Docker: layers, differences, who shares what."""

from knarr.spec.document import Document


class TouchedPath(Document, omit_defaults=True):
    """A path that a layer Added, Changed or Deleted."""

    kind: str = ""
    path: str = ""
    size: int = 0


class ImageStep(Document):
    """One step of an image's history, and the layer that came of it, if one did."""

    diff_id: str = ""
    created_by: str = ""
    created: str = ""
    size: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    wasted: int = 0  # bytes of this layer that later ones hide or remove
    files: tuple[TouchedPath, ...] = ()


class WastedPath(Document):
    """Bytes that are in layers and not in the image; ``times`` they were written for nothing."""

    path: str = ""
    size: int = 0
    times: int = 0


class ImageLayers(Document):
    """``GET /knarr/images/{name}/show``: the steps, oldest first."""

    id: str = ""
    names: tuple[str, ...] = ()
    platform: str = ""
    size: int = 0
    wasted: int = 0
    steps: tuple[ImageStep, ...] = ()
    wasted_paths: tuple[WastedPath, ...] = ()  # the largest


class PathDifference(Document, omit_defaults=True):
    """A path that two images do not have alike."""

    kind: str = ""  # A, C or D
    path: str = ""
    before: int = 0  # bytes
    after: int = 0
    what: tuple[str, ...] = ()


class SettingDifference(Document):
    """A setting of the configs that differs; each value as JSON."""

    name: str = ""
    before: str = ""
    after: str = ""


class ImageDifference(Document):
    """``GET /knarr/images/{name}/diff?to=``: how the second image differs from the first."""

    before: str = ""  # IDs
    after: str = ""
    shared_layers: int = 0
    before_layers: int = 0
    after_layers: int = 0
    before_size: int = 0
    after_size: int = 0
    settings: tuple[SettingDifference, ...] = ()
    files: tuple[PathDifference, ...] = ()


class SharedLayer(Document):
    """A layer, what it takes on the disk, and who else has it."""

    diff_id: str = ""
    size: int = 0  # of its files
    disk: int = 0  # bytes of its tar and its compressed forms
    shared_with: tuple[str, ...] = ()  # other images
    held_by: tuple[str, ...] = ()  # containers, the build cache


class ImageShare(Document):
    """``GET /knarr/images/explain``: what an image takes, and what its removal would free."""

    id: str = ""
    names: tuple[str, ...] = ()
    size: int = 0
    freed: int = 0  # bytes on the disk
    kept_by: tuple[str, ...] = ()  # what stands against its removal
    layers: tuple[SharedLayer, ...] = ()


class StoreShare(Document):
    """All images, and what the prunes would free in bytes on the disk."""

    images: tuple[ImageShare, ...] = ()
    dangling: int = 0  # image prune
    unused: int = 0  # image prune -a
    forms: int = 0  # compressed forms of layers, which go by themselves when the disk runs low
