"""What checks of the store tell."""

from knarr.spec.document import Document


class FoundProblem(Document):
    """One thing that is wrong. ``outcome`` is what was done, or would be, in a sentence."""

    subject: str = ""  # "layer sha256:…"
    problem: str = ""
    outcome: str = ""
    repaired: bool = False
    needed_by: tuple[str, ...] = ()  # images and containers


class CheckReport(Document):
    """The last message of ``POST /knarr/system/fsck``, as ``aux``."""

    blobs: int = 0
    layers: int = 0
    read_bytes: int = 0
    problems: tuple[FoundProblem, ...] = ()


class ConvertedLayers(Document):
    """The last message of ``POST /knarr/system/convert-layers``, as ``aux``."""

    snapshotter: str = ""
    converted: int = 0
    left: tuple[str, ...] = ()  # sentences: which layers were not, and why
