"""What a survey and a reading of every byte say is wrong. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from knarr.content import digest_of
from knarr.ids import DiffId, Digest
from knarr.upkeep.model import Finding, Remedy
from knarr.upkeep.survey import Survey

Needers = Callable[[Iterable[str]], tuple[str, ...]]
"""Names of the images and containers among some holders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was wrong with what was read: problems by blob, by layer's tar, by what is mounted."""

    blobs: Mapping[Digest, str] = field(default_factory=dict)
    tars: Mapping[DiffId, str] = field(default_factory=dict)
    made: Mapping[DiffId, str] = field(default_factory=dict)
    read_bytes: int = 0


def structural(survey: Survey, needers: Needers) -> list[Finding]:
    """What is wrong between rows and files; no content was looked at."""
    return [
        *_strays(survey),
        *_holds(survey),
        *_missing_blobs(survey, needers),
        *_missing_layers(survey, needers),
        *_images(survey),
        *survey.folders,
    ]


def of_content(survey: Survey, read: Read, needers: Needers) -> list[Finding]:
    """What is wrong with the bytes."""
    found = [_damaged_blob(survey, digest, why, needers) for digest, why in read.blobs.items()]
    for diff_id, why in read.tars.items():
        found.append(_damaged_layer(survey, read, diff_id, why, needers))
    for diff_id, why in read.made.items():
        if diff_id not in read.tars:
            holders = survey.layer_holders.get(diff_id, ())
            found.append(
                Finding(kind="layer", key=diff_id, problem=why, remedy=Remedy.REMAKE,
                        needed_by=needers(holders))
            )  # fmt: skip
    return found


def _strays(survey: Survey) -> Iterable[Finding]:
    for digest in sorted(survey.blob_files - survey.blobs.keys() - survey.pinned):
        yield Finding(kind="blob", key=digest, problem="a file that no row knows",
                      remedy=Remedy.DELETE_BLOB)  # fmt: skip
    for diff_id in sorted(survey.layer_folders - survey.layers.keys() - survey.pinned):
        yield Finding(kind="layer", key=diff_id, problem="a folder that no row knows",
                      remedy=Remedy.DELETE_LAYER)  # fmt: skip


def _holds(survey: Survey) -> Iterable[Finding]:
    for holder in sorted(survey.stale_holders):
        yield Finding(kind="hold", key=holder, problem="holds layers or blobs, and is gone itself",
                      remedy=Remedy.RELEASE)  # fmt: skip
    kept = {form for forms in survey.forms.values() for form in forms}
    for digest in sorted(survey.blobs.keys() - survey.blob_holders.keys() - kept - survey.pinned):
        yield Finding(kind="blob", key=digest, problem="nobody holds it", remedy=Remedy.COLLECT)
    for diff_id in sorted(survey.layers.keys() - survey.layer_holders.keys() - survey.pinned):
        yield Finding(kind="layer", key=diff_id, problem="nobody holds it", remedy=Remedy.COLLECT)


def _missing_blobs(survey: Survey, needers: Needers) -> Iterable[Finding]:
    for digest in sorted(survey.blobs.keys() - survey.blob_files - survey.pinned):
        yield _damaged_blob(survey, digest, "its file is missing", needers)


def _missing_layers(survey: Survey, needers: Needers) -> Iterable[Finding]:
    for diff_id in sorted(survey.layers.keys() - survey.layer_folders - survey.pinned):
        yield _damaged_layer(survey, Read(), diff_id, "its folder is missing", needers)


def _images(survey: Survey) -> Iterable[Finding]:
    for image in survey.images:
        if digest_of(image.raw) != image.id:
            yield Finding(
                kind="image",
                key=image.id,
                problem="its config has another digest",
                remedy=Remedy.NONE,
                advice="remove it, and pull or build it again",
            )
            continue
        holder = f"image/{image.id}"
        holding = survey.layer_holders
        unheld = [each for each in image.diff_ids if holder not in holding.get(each, ())]
        if unheld:
            known = all(each in survey.layers for each in unheld)
            yield Finding(
                kind="image", key=image.id, problem=f"does not hold its layer {unheld[0]}",
                remedy=Remedy.HOLD if known else Remedy.NONE,
                advice="" if known else "pull, load or build it again",
            )  # fmt: skip


def _damaged_blob(survey: Survey, digest: Digest, why: str, needers: Needers) -> Finding:
    holders = survey.blob_holders.get(digest, ())
    remedy, advice = Remedy.NONE, "stop the engine, and bring the file back from a copy"
    if "registry" in holders:
        remedy = Remedy.FORGET_SERVED
    elif survey.of_manifest(digest) or any(each.startswith("index/") for each in holders):
        remedy = Remedy.FORGET_MANIFEST
    elif survey.form_of(digest) is not None:
        remedy = Remedy.FORGET_FORM
    elif not holders:
        remedy = Remedy.COLLECT
    return Finding(kind="blob", key=digest, problem=why, remedy=remedy, advice=advice,
                   needed_by=needers(holders))  # fmt: skip


def _damaged_layer(
    survey: Survey, read: Read, diff_id: DiffId, why: str, needers: Needers
) -> Finding:
    holders = survey.layer_holders.get(diff_id, ())
    whole = [each for each in survey.forms.get(diff_id, ())
             if each in survey.blob_files and each not in read.blobs]  # fmt: skip
    there = diff_id in survey.layer_folders
    remedy = Remedy.RESTORE if whole else Remedy.SET_ASIDE if there else Remedy.NONE
    return Finding(kind="layer", key=diff_id, problem=why, remedy=remedy,
                   advice="pull, load or build what needs it again",
                   needed_by=needers(holders))  # fmt: skip
