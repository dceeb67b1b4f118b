"""What can be wrong with a store, and what would put it right."""

from dataclasses import dataclass
from enum import StrEnum, unique


@unique
class Remedy(StrEnum):
    """What a repair does; the value is how it is told, after "is" or "was"."""

    DELETE_BLOB = "deleted: nobody knows what for"
    DELETE_LAYER = "deleted with its files: nobody knows what for"
    COLLECT = "deleted: nobody holds it"
    RELEASE = "let go of: who held it is gone"
    FORGET_FORM = "forgotten: the layer itself is here, and the next push packs it anew"
    FORGET_MANIFEST = "forgotten: the next push makes a new one"
    FORGET_SERVED = "taken from the registry that this engine serves: push it there again"
    REMAKE = "made anew from the layer's tar"
    RESTORE = "restored from its compressed form"
    SET_ASIDE = "moved to the folder 'damaged': pull, load or build what needs it again"
    HOLD = "held from now on"
    NONE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong. Two of the same key are one."""

    kind: str  # blob, layer, hold, image, database
    key: str  # a digest, a holder
    problem: str
    remedy: Remedy
    advice: str = ""  # for people, where nothing puts it right
    size_bytes: int = 0  # on the disk, of what a repair would delete
    needed_by: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        return f"{self.kind} {self.key}"

    @property
    def identity(self) -> tuple[str, str, Remedy]:
        return self.kind, self.key, self.remedy
