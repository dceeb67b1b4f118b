"""Builds from a request to an image, in this process."""

import asyncio
import os
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from knarr.build.housekeeping import Prune
from knarr.dockerfile.request import BuildRequest, FolderPlace
from knarr.errors import Conflict, InvalidArgument, NotFound
from knarr.ids import new_container_id
from knarr.spec.docker.progress import Progress
from support.builds import Told, Yard, nothing
from support.rooms import chunks
from support.trees import tar

pytestmark = pytest.mark.needs("root", "overlay", "busybox")


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    # Under /var/tmp: overlayfs wants its upper directory on a real file system.
    root = Path("/var/tmp") / f"knarr-builds-{tmp_path.name}-{time.time_ns()}"
    made = Yard(root)
    await made.begin()
    yield made
    made.rooms.close()
    await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)


APP = """FROM busybox AS one
RUN echo made > /made
FROM busybox
ARG NAME=x
ENV A=$NAME
WORKDIR /app
COPY a.txt .
COPY --from=one /made /made
LABEL l=$NAME
EXPOSE 80
CMD ["cat", "/made"]
"""


async def test_an_image_comes_out(yard: Yard) -> None:
    told = await yard.build(APP, {"a.txt": "A"}, tags=("app:1", "app"), build_args={"NAME": "n"})
    assert told.error == ""
    assert yard.rooms.images.resolve("app:1").id == told.image
    config = yard.config("app:latest")
    assert config.env[-1] == "A=n"
    assert config.labels == {"l": "n"}
    assert (config.working_dir, config.cmd) == ("/app", ("cat", "/made"))
    assert yard.files("app:1", layers=3) == {
        "app/": "dir 755",
        "app/a.txt": "A 644",
        "made": "made\n 644",
    }
    assert yard.history("app:1") == [
        "ARG NAME=n",
        "ENV A=n",
        "*WORKDIR /app",
        "*COPY a.txt . # buildkit",
        "*COPY /made /made # buildkit",
        "LABEL l=n",
        "EXPOSE [80/tcp]",
        'CMD ["cat" "/made"]',
    ]
    assert yard.rooms.told() == ["load", "tag", "tag"]


async def test_the_text_is_the_classic_builders(yard: Yard) -> None:
    dockerfile = "FROM busybox\nRUN echo hi\nENV A=b\n"
    told = await yard.build(dockerfile, tags=("app",), build_args={"ZZ": "1"})
    text = re.sub(r"[0-9a-f]{12}", "ID", told.text)
    assert text == (
        "Step 1/3 : FROM busybox\n"
        " ---> ID\n"
        "Step 2/3 : RUN echo hi\n"
        " ---> Running in ID\n"
        "hi\n"
        "Removing intermediate container ID\n"
        " ---> ID\n"
        "Step 3/3 : ENV A=b\n"
        " ---> ID\n"
        "[Warning] One or more build-args [ZZ] were not consumed\n"
        "Successfully built ID\n"
        "Successfully tagged app:latest\n"
    )
    again = await yard.build(dockerfile, tags=("app",))
    assert "Step 2/3 : RUN echo hi\n ---> Using cache\n" in again.text
    assert "Step 3/3 : ENV A=b\n ---> Using cache\n" in again.text
    other = await yard.build("FROM busybox\nRUN echo hi\nENV A=c\n")
    assert "ENV A=c\n ---> Using cache\n" not in other.text
    assert again.image == told.image


async def test_of_a_cache_that_a_classic_client_names_nothing_else_is_taken(yard: Yard) -> None:
    dockerfile = "FROM busybox\nRUN echo hi >made\nENV A=b\nRUN echo again\n"
    await yard.build(dockerfile, tags=("app",))

    async def reused(*images: str, alone: bool = True) -> int:
        told = await yard.build(dockerfile, cache_from=images, cache_from_alone=alone)
        return told.text.count("Using cache")

    assert await reused("app") == 3
    assert await reused("busybox", alone=False) == 3
    assert await reused("busybox") == 0


async def test_standard_error_is_marked_as_docker_marks_it(yard: Yard) -> None:
    told = await yard.build("FROM busybox\nRUN echo out; echo oops >&2\n")
    assert "\x1b[91moops\n\x1b[0m" in told.text
    assert "out\n" in told.text


async def test_parallel_stages_are_told_in_the_files_order(yard: Yard) -> None:
    told = await yard.build(
        "FROM busybox AS slow\nRUN sleep 0.3; echo slow\n"
        "FROM busybox AS fast\nRUN echo fast > /f; echo fast\n"
        "FROM busybox\nCOPY --from=slow /etc/passwd /s\nCOPY --from=fast /f /f\n"
    )
    steps = re.findall(r"Step (\d+)/7|^(slow|fast)$", told.text, re.MULTILINE)
    assert [number or word for number, word in steps] == [
        "1", "2", "slow", "3", "4", "fast", "5", "6", "7",
    ]  # fmt: skip


async def test_quiet_is_the_id_alone(yard: Yard) -> None:
    told = await yard.build("FROM busybox\nRUN echo hi\n", tags=("q",), quiet=True)
    assert told.text == f"{yard.rooms.images.resolve('q').id}\n"


async def test_a_failing_command_is_the_streams_last_word(yard: Yard) -> None:
    told = await yard.build("FROM busybox\nRUN echo oops; exit 7\nRUN never\n", tags=("bad",))
    assert "oops\n" in told.text
    assert told.error == "The command '/bin/sh -c echo oops; exit 7' returned a non-zero code: 7"
    assert told.code == 7
    with pytest.raises(NotFound):
        yard.rooms.images.resolve("bad")


async def test_other_errors_show_the_line(yard: Yard) -> None:
    told = await yard.build("FROM busybox\nCOPY nope /\n")
    assert told.error.startswith("COPY failed: file not found in build context")
    assert "2 | >>> COPY nope /" in told.error
    told = await yard.build("FROM busybox\nCOPY nope /\nRUN true\n")
    assert "2 | >>> COPY nope /" in told.error
    told = await yard.build("FROM busybox\nRUN --network=host true\n")
    assert "grant it with --allow network.host" in told.error
    told = await yard.build("FROM busybox\nCOPY --chown=ghost Dockerfile /\n")
    assert "no such user: ghost" in told.error
    assert "2 | >>> COPY --chown=ghost" in told.error


@pytest.mark.parametrize(
    ("dockerfile", "request_", "problem"),
    [
        ("FORM busybox\n", {}, "unknown instruction: FORM"),
        ("FROM busybox\n", {"target": "x"}, 'target stage "x" could not be found'),
        ("FROM busybox\n", {"dockerfile": "Other"}, "Cannot locate specified Dockerfile: Other"),
        ("FROM busybox\n", {"dockerfile": "../x"}, "forbidden path outside the build context"),
        ("FROM busybox\n", {"tags": ("Bad:Tag",)}, "must be lowercase"),
        ("FROM busybox\n", {"platform": "linux/z80"}, "unknown operating system or architecture"),
        ("", {}, "cannot be empty"),
    ],
)
async def test_what_is_wrong_before_anything_is_done_is_raised(
    yard: Yard, dockerfile: str, request_: dict[str, object], problem: str
) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        await yard.send(tar({"Dockerfile": dockerfile}), **request_)


async def test_an_unknown_base_is_told_with_what_may_have_been_meant(yard: Yard) -> None:
    told = await yard.build("FROM busybox AS build\nFROM biuld\n")
    assert told.error == "No such image: biuld:latest (did you mean build?)"
    told = await yard.build("FROM two AS one\nFROM one AS two\n")
    assert told.error == (
        "No such image: two:latest (the stage two comes later: only earlier ones can be used)"
    )


async def test_lower_case_and_other_names_of_dockerfiles(yard: Yard) -> None:
    archive = tar({"dockerfile": "FROM busybox\nLABEL a=1\n", "sub/d": "FROM busybox\nLABEL a=2\n"})
    await yard.send(archive, tags=("one",))
    assert yard.config("one").labels == {"a": "1"}
    await yard.send(archive, tags=("two",), dockerfile="sub/d")
    assert yard.config("two").labels == {"a": "2"}


async def test_ignored_files_are_not_there_and_a_dockerfile_may_have_rules_of_its_own(
    yard: Yard,
) -> None:
    files = {".dockerignore": "*.md\nDockerfile\n", "a.md": "A", "b.txt": "B"}
    await yard.build("FROM scratch\nCOPY . /\n", files, tags=("x",))
    assert set(yard.files("x")) == {".dockerignore", "b.txt"}
    own = {**files, "Dockerfile.dockerignore": "b.txt\n"}
    await yard.build("FROM scratch\nCOPY . /\n", own, tags=("y",))
    assert set(yard.files("y")) == {
        ".dockerignore",
        "Dockerfile",
        "Dockerfile.dockerignore",
        "a.md",
    }


async def test_labels_and_platform_of_the_client(yard: Yard) -> None:
    await yard.build(
        "FROM scratch\nLABEL a=1 b=2\nCOPY Dockerfile /\n",
        tags=("x",), labels={"b": "3"}, platform="linux/arm64",
    )  # fmt: skip
    image = yard.rooms.images.resolve("x")
    assert image.config.labels == {"a": "1", "b": "3"}
    assert image.document.architecture == "arm64"


async def test_the_same_inputs_give_the_same_image_at_another_time(yard: Yard) -> None:
    first = await yard.build(APP, {"a.txt": "A"})
    await asyncio.sleep(1.1)
    second = await yard.build(APP, {"a.txt": "A"}, no_cache=True)
    assert first.image == second.image


async def test_source_date_epoch_is_the_images_date(yard: Yard) -> None:
    await yard.build(APP, {"a.txt": "A"}, tags=("x",), build_args={"SOURCE_DATE_EPOCH": "86400"})
    assert yard.rooms.images.resolve("x").document.created == "1970-01-02T00:00:00Z"


async def test_squashing_leaves_one_layer_on_the_base(yard: Yard) -> None:
    base = yard.rooms.images.resolve("busybox")
    await yard.build(
        "FROM busybox\nRUN echo 1 > /a; echo 1 > /b\nRUN rm /a\nCOPY Dockerfile /d\n",
        tags=("s",), squash=True,
    )  # fmt: skip
    image = yard.rooms.images.resolve("s")
    assert image.diff_ids[:-1] == base.diff_ids
    assert set(yard.files("s")) == {".wh.a", "b", "d"}
    assert sum(not each.empty_layer for each in image.document.history) == len(image.diff_ids)


# knarr's own client


async def test_each_step_is_told_to_knarrs_own_client(yard: Yard) -> None:
    told = await yard.build("FROM busybox\nENV A=1\nRUN echo hi\n", trace=True, tags=("t",))
    assert [(each.number, each.state) for each in told.traces] == [
        (1, "planned"), (2, "planned"), (3, "planned"), (2, "plain"), (1, "cached"),
        (3, "started"), (3, "output"), (3, "done"),
    ]  # fmt: skip
    assert told.output() == "hi\n"


async def test_a_miss_is_explained(yard: Yard) -> None:
    dockerfile = "FROM busybox\nARG V=1\nCOPY src /src\nRUN echo $V\n"
    files = {"src/a": "1", "src/b": "1"}
    await yard.build(dockerfile, files, trace=True, tags=("t",))
    told = await yard.build(dockerfile, {**files, "src/b": "2"}, trace=True, tags=("t",))
    assert told.whys() == {
        "COPY src /src": "file src/b changed",
        "RUN echo $V": "what it stands on changed",
    }
    told = await yard.build(
        dockerfile, {**files, "src/b": "2"}, trace=True, tags=("t",), build_args={"V": "2"}
    )
    assert told.whys() == {"RUN echo $V": "variable V changed"}
    told = await yard.build(
        dockerfile.replace("echo $V", "echo v$V"), {**files, "src/b": "2"}, trace=True,
        tags=("t",), build_args={"V": "2"},
    )  # fmt: skip
    assert told.whys() == {"RUN echo v$V": "the command changed"}


async def test_stages_can_be_built_anew_by_name(yard: Yard) -> None:
    dockerfile = (
        "FROM busybox AS a\nRUN echo a > /a\nFROM busybox\nRUN echo b > /b\nCOPY --from=a /a /c\n"
    )
    await yard.build(dockerfile, trace=True)
    told = await yard.build(dockerfile, trace=True, no_cache_filter=("A",))
    assert "done RUN echo a > /a" in told.states()
    assert "cached RUN echo b > /b" in told.states()


async def test_what_a_stage_stands_on_stays_when_the_stage_is_built_anew(yard: Yard) -> None:
    dockerfile = "FROM busybox AS a\nRUN echo a > /a\nFROM a AS b\nRUN echo b > /b\n"
    await yard.build(dockerfile, trace=True)
    told = await yard.build(dockerfile, trace=True, no_cache_filter=("b",))
    assert "cached RUN echo a > /a" in told.states()
    assert "done RUN echo b > /b" in told.states()


async def test_secrets_and_named_contexts_come_with_the_archive(yard: Yard) -> None:
    dockerfile = (
        "FROM busybox\n"
        "RUN --mount=type=secret,id=s cat /run/secrets/s\n"
        "COPY --from=other . /other/\n"
        "COPY . /all/\n"
        "RUN --mount=from=other,target=/o ls /o\n"
    )
    archive = tar(
        {
            ".knarr-build/secrets/s": "s3cr3t-4711",
            ".knarr-build/contexts/other/f": "F",
            ".knarr-build/contexts/other/ignored": "I",
            ".knarr-build/contexts/other/.dockerignore": "ignored\n",
            "Dockerfile": dockerfile,
        }
    )
    told = await yard.send(archive, extras=True, tags=("x",), trace=True)
    assert told.error == ""
    assert told.output() == "s3cr3t-4711f\n"
    assert set(yard.files("x", layers=2)) == {
        "all/", "all/Dockerfile", "other/", "other/.dockerignore", "other/f",
    }  # fmt: skip


async def test_a_stage_may_stand_on_a_named_context(yard: Yard) -> None:
    archive = tar({".knarr-build/contexts/root/f": "F", "Dockerfile": 'FROM root\nCMD ["/f"]\n'})
    await yard.send(archive, extras=True, tags=("x",))
    assert yard.files("x") == {"f": "F 644"}


async def test_a_named_context_may_be_an_image(yard: Yard) -> None:
    told = await yard.build(
        "FROM debian:13\nRUN true\n", contexts={"debian:13": "docker-image://busybox"}, tags=("x",)
    )
    assert told.error == ""
    assert yard.rooms.images.resolve("x").diff_ids == yard.rooms.images.resolve("busybox").diff_ids


async def test_the_state_before_a_failed_step_is_kept_on_request(yard: Yard) -> None:
    told = await yard.build(
        "FROM busybox\nRUN echo x > /before\nRUN false\n", trace=True, keep_failed=True
    )
    (before,) = [each.aux for each in told.documents if isinstance(each.aux, dict)]
    assert before["Step"] == 3
    assert yard.files(before["Before"]) == {"before": "x\n 644"}


async def test_a_build_can_be_stopped_before_a_step(yard: Yard) -> None:
    dockerfile = "FROM busybox\nRUN echo one > /one\nENV A=b\nRUN false\n"
    told = await yard.build(dockerfile, debug_step=4, tags=("stopped:1",))
    (state,) = [each.aux for each in told.documents if isinstance(each.aux, dict)]
    assert yard.files(state["Before"])["one"].startswith("one\n")
    assert "A=b" in (yard.config(state["Before"]).env or ())
    with pytest.raises(NotFound):
        yard.rooms.images.resolve("stopped:1")
    told = await yard.build(dockerfile, debug_step=1)
    assert told.error == "no step 1 to stop before: there are 2, 3, 4"


async def test_several_platforms_come_under_one_name(yard: Yard) -> None:
    dockerfile = (
        "FROM --platform=$BUILDPLATFORM busybox AS made\n"
        "ARG TARGETARCH\n"
        "RUN echo $TARGETARCH > /arch\n"
        "FROM scratch\n"
        "COPY --from=made /arch /\n"
    )
    both = "linux/riscv64,linux/s390x"
    told = await yard.build(dockerfile, platform=both, tags=("many:1",), trace=True)
    assert told.error == ""
    images = yard.rooms.images.platforms("many:1")
    assert {each.document.architecture for each in images} == {"riscv64", "s390x"}
    for image in images:
        assert yard.files(image.id) == {"arch": f"{image.document.architecture}\n 644"}
    assert yard.rooms.images.index("many:1") is not None
    numbers = [each.aux.number for each in told.documents if hasattr(each.aux, "number")]
    assert set(numbers) == set(range(1, 11))  # each step has a number of its own


async def test_several_platforms_need_a_name_and_bases_for_each(yard: Yard) -> None:
    with pytest.raises(InvalidArgument, match="give it one with -t"):
        await yard.build("FROM scratch\n", platform="linux/riscv64,linux/s390x")
    told = await yard.build("FROM busybox\n", platform="linux/riscv64,linux/s390x", tags=("x",))
    assert "busybox:latest is not for linux/riscv64, but for linux/" in told.error
    with pytest.raises(NotFound):
        yard.rooms.images.resolve("x")


async def test_a_command_of_another_machine_says_so(yard: Yard) -> None:
    dockerfile = "FROM scratch\nCOPY sh /bin/sh\nRUN true\n"
    told = await yard.build(dockerfile, {"sh": "#!/nowhere\n"}, platform="linux/s390x")
    assert "it is for linux/s390x, which this machine runs only with an emulator" in told.error


async def test_a_folder_that_both_can_see_is_not_sent(yard: Yard, tmp_path: Path) -> None:
    folder = tmp_path / "context"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a").write_text("A")
    (folder / "skip.md").write_text("M")
    (folder / ".dockerignore").write_text("*.md\n")
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")

    async def build(**request: object) -> Told:
        there = folder.stat()
        place = FolderPlace(path=str(folder), device=there.st_dev, inode=there.st_ino)
        return await yard.send(b"", folder=place, trace=True, tags=("x",), **request)

    told = await build()
    assert told.states()[-1] == "done COPY . /"
    assert set(yard.files("x")) == {".dockerignore", "Dockerfile", "src/", "src/a"}
    assert (await build()).states()[-1] == "cached COPY . /"
    (folder / "src" / "a").write_text("B")
    told = await build()
    assert told.whys() == {"COPY . /": "file src/a changed"}
    wrong = FolderPlace(path=str(folder), device=1, inode=2)
    with pytest.raises(Conflict, match="is another directory for the engine"):
        await yard.send(b"", folder=wrong)


# What is cut off


async def test_closing_the_stream_ends_the_build(yard: Yard) -> None:
    archive = tar({"Dockerfile": "FROM busybox\nRUN echo up; sleep 100\n"})
    stream = await yard.service.build(BuildRequest(), chunks(archive))
    async for document in stream:
        if document.stream == "up\n":
            break
    await stream.aclose()  # type: ignore[attr-defined]
    assert list((yard.rooms.root / "run" / "builds").iterdir()) == []
    assert list((yard.rooms.root / "build" / "tmp").iterdir()) == []


async def test_a_build_can_be_cancelled_by_its_id(yard: Yard) -> None:
    archive = tar({"Dockerfile": "FROM busybox\nRUN echo up; sleep 100\n"})
    stream = await yard.service.build(BuildRequest(build_id="b1"), chunks(archive))
    seen: list[Progress] = []
    async for document in stream:
        seen.append(document)
        if document.stream == "up\n":
            yard.service.cancel("b1")
    assert seen[-1].error == "context canceled"
    yard.service.cancel("unknown")


# The cache as something that takes room


async def test_the_cache_is_shown_and_pruned(yard: Yard) -> None:
    dockerfile = (
        "FROM busybox\nRUN echo x > /x\nRUN --mount=type=cache,target=/c echo 12345 > /c/n\n"
    )
    await yard.build(dockerfile, tags=("x",))
    usage = await yard.service.cache.usage()
    assert {(each.type, each.shared, each.size) for each in usage} == {
        ("regular", True, 2), ("regular", False, 0), ("exec.cachemount", False, 6),
    }  # fmt: skip
    pruned = await yard.service.cache.prune(Prune(filters={"type": ("exec.cachemount",)}))
    assert (len(pruned.caches_deleted), pruned.space_reclaimed) == (1, 6)
    await yard.rooms.images.remove("x")
    pruned = await yard.service.cache.prune(Prune())
    assert pruned.space_reclaimed == 2
    assert await yard.service.cache.usage() == []
    assert yard.rooms.told("builder") == ["prune", "prune"]
    told = await yard.build(dockerfile, trace=True)
    assert "done RUN echo x > /x" in told.states()


async def test_what_an_image_shares_stays_unless_everything_goes(yard: Yard) -> None:
    await yard.build("FROM busybox\nRUN echo x > /x\n", tags=("x",))
    assert (await yard.service.cache.prune(Prune())).caches_deleted == ()
    pruned = await yard.service.cache.prune(Prune(everything=True))
    assert (len(pruned.caches_deleted), pruned.space_reclaimed) == (1, 0)
    assert yard.files("x") == {"x": "x\n 644"}


async def test_the_cache_stays_within_its_bound(yard: Yard) -> None:
    for name in "abc":
        await yard.build(f"FROM busybox\nRUN echo {name} > /{name}\n")
    for each in yard.rooms.images.list({}, everything=True):
        if each.repo_tags != ("busybox:latest",):
            await yard.rooms.images.remove(each.id)
    pruned = await yard.service.cache.keep_within_bounds(4)
    assert (len(pruned.caches_deleted), pruned.space_reclaimed) == (1, 2)
    told = await yard.build("FROM busybox\nRUN echo c > /c\n", trace=True)
    assert told.states()[-1] == "cached RUN echo c > /c"


# Elsewhere


@pytest.mark.needs("git")
async def test_a_repository_can_be_the_context_and_a_source(yard: Yard, tmp_path: Path) -> None:
    url = _served_repository(tmp_path)
    with _web_server(tmp_path) as address:
        told = await yard.send(b"", remote=f"{address}{url}", tags=("x",))
        assert told.error == ""
        assert set(yard.files("x")) == {"Dockerfile", "f", "sub/", "sub/g"}
        told = await yard.build(
            f"FROM scratch\nADD {address}{url}#main:sub /s/\n", tags=("y",), trace=True
        )
        assert told.error == ""
        assert set(yard.files("y")) == {"s/", "s/g"}
        told = await yard.build(f"FROM scratch\nADD {address}{url}#main:sub /s/\n", trace=True)
        assert told.states()[-1].startswith("cached ADD")
        told = await yard.build(f"FROM scratch\nADD --checksum=0000000 {address}{url} /s/\n")
        assert "expected checksum to match 0000000" in told.error


async def test_a_file_from_the_web_is_added(yard: Yard, tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("web")
    with _web_server(tmp_path) as address:
        dockerfile = f"FROM scratch\nADD {address}/f.txt /d/\n"
        told = await yard.build(dockerfile, tags=("x",), trace=True)
        assert told.error == ""
        assert yard.files("x") == {"d/": "dir 755", "d/f.txt": "web 600"}
        assert (await yard.build(dockerfile, trace=True)).states()[-1].startswith("cached")
        (tmp_path / "f.txt").write_text("new content")
        os.utime(tmp_path / "f.txt", (2e9, 2e9))  # the server tells whole seconds
        told = await yard.build(dockerfile, trace=True)
        assert told.states()[-1].startswith("done")
        wrong = dockerfile.replace("ADD", f"ADD --checksum=sha256:{'0' * 64}")
        assert "digest mismatch" in (await yard.build(wrong)).error
        missing = dockerfile.replace("f.txt", "none")
        assert "not found (404)" in (await yard.build(missing)).error


async def test_the_context_may_be_an_archive_or_a_dockerfile_on_the_web(
    yard: Yard, tmp_path: Path
) -> None:
    (tmp_path / "c.tar").write_bytes(tar({"Dockerfile": "FROM scratch\nCOPY f /\n", "f": "F"}))
    (tmp_path / "D").write_text("FROM busybox\nLABEL from=web\n")
    with _web_server(tmp_path) as address:
        await yard.send(b"", remote=f"{address}/c.tar", tags=("x",))
        assert yard.files("x") == {"f": "F 644"}
        await yard.send(b"", remote=f"{address}/D", tags=("y",))
        assert yard.config("y").labels == {"from": "web"}
    with pytest.raises(InvalidArgument, match="is no URL"):
        await yard.service.build(BuildRequest(remote="/etc"), nothing())


async def test_secrets_folders_and_a_dockerfile_come_beside_what_is_on_the_web(
    yard: Yard, tmp_path: Path
) -> None:
    (tmp_path / "c.tar").write_bytes(tar({"Dockerfile": "FROM scratch\n", "f": "F"}))
    beside = tar(
        {
            ".knarr-build/secrets/s": "s3cr3t-4711",
            ".knarr-build/contexts/other/x": "X",
            "Elsewhere": "FROM busybox\n"
            "RUN --mount=type=secret,id=s cat /run/secrets/s > /s\n"
            "COPY --from=other x /\nCOPY f /\n",
        }
    )
    with _web_server(tmp_path) as address:
        told = await yard.send(
            beside, remote=f"{address}/c.tar", extras=True, dockerfile="Elsewhere", tags=("x",)
        )
    assert told.error == ""
    files = yard.files("x", layers=3)
    assert {files[name].split()[0] for name in ("s", "x", "f")} == {"s3cr3t-4711", "X", "F"}


async def test_an_image_of_this_engine_is_not_fetched_anew(yard: Yard) -> None:
    class NoRegistry:
        def pull(self, *wanted: object) -> AsyncIterator[Progress]:
            raise NotFound(f"pull of {wanted[0]}")

    yard.pull_with(NoRegistry())
    await yard.build("FROM busybox\nLABEL a=b\n", tags=("mine",))
    named = {"base": "engine-image://mine"}
    told = await yard.build("FROM base\n", tags=("x",), contexts=named, pull=True)
    assert (told.error, yard.config("x").labels) == ("", {"a": "b"})
    fetched = await yard.build("FROM base\n", contexts={"base": "docker-image://mine"}, pull=True)
    assert "pull of docker.io/library/mine" in fetched.error


def _served_repository(folder: Path) -> str:
    """A repository that a plain web server can give out; its path on it."""

    def git(*words: str, at: Path) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *identity, *words], cwd=at, check=True, capture_output=True)

    work = folder / "work"
    (work / "sub").mkdir(parents=True)
    (work / "f").write_text("F")
    (work / "sub" / "g").write_text("G")
    (work / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    git("init", "-q", "-b", "main", at=work)
    git("add", ".", at=work)
    git("commit", "-qm", "one", at=work)
    git("clone", "-q", "--bare", "work", "repo.git", at=folder)
    git("update-server-info", at=folder / "repo.git")
    return "/repo.git"


class _web_server:  # noqa: N801  used like a function
    """Serves a folder on 127.0.0.1 for the length of a block."""

    def __init__(self, folder: Path) -> None:
        from functools import partial
        from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

        class Silent(SimpleHTTPRequestHandler):
            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(folder)))

    def __enter__(self) -> str:
        import threading

        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
async def narrow(tmp_path: Path) -> AsyncIterator[Yard]:
    """On a file system of 24 MB."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "kn", tmp_path], check=True)
    made = Yard(tmp_path / "data")
    await made.begin()
    yield made
    made.rooms.close()
    await asyncio.to_thread(shutil.rmtree, tmp_path / "data", ignore_errors=True)
    subprocess.run(["umount", "-l", tmp_path], check=True)


async def test_a_step_that_fills_the_disk_gives_it_back(narrow: Yard) -> None:
    begun = "FROM busybox\nRUN echo one >/one\n"
    told = await narrow.build(f"{begun}RUN cat /dev/zero >/big\n")
    assert told.error == "The command '/bin/sh -c cat /dev/zero >/big' returned a non-zero code: 1"
    told = await narrow.build(f"{begun}RUN echo two >/two\n", trace=True)
    assert told.error == ""
    assert told.states()[1:] == ["cached RUN echo one >/one", "done RUN echo two >/two"]


async def test_what_filled_the_disk_goes_even_where_no_row_can_be_written(narrow: Yard) -> None:
    containers, identity = narrow.rooms.containers, new_container_id()
    containers.prepare(identity, narrow.rooms.images.resolve("busybox").diff_ids)
    narrow.rooms.db._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    big = open(containers.upper(identity) / "big", "wb", buffering=0)  # noqa: SIM115
    with big, suppress(OSError):  # no space left
        while True:
            big.write(bytes(4096))
    containers.remove(identity)
    told = await narrow.build("FROM busybox\nRUN echo two >/two\n")
    assert told.error == ""
