from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.container.mounts import (
    is_mode,
    located,
    mount_points,
    parse_bind,
    parse_mount,
    parse_volumes_from,
    requested_mounts,
)
from knarr.container.runtime_mounts import (
    NetworkFiles,
    SourceFacts,
    check_propagation,
    exchanged,
    root_propagation,
    runtime_mounts,
)
from knarr.container.tmpfs import tmpfs_options
from knarr.errors import InvalidArgument, KnarrError, Unsupported
from knarr.spec.docker.container import (
    BindOptions,
    ContainerConfig,
    DriverConfig,
    HostConfig,
    ImageOptions,
    Mount,
    MountPoint,
    TmpfsOptions,
    VolumeOptions,
)
from knarr.spec.oci import runtime as oci
from knarr.spec.record import MountPlan

NO_FILES = NetworkFiles()


def everything_exists(path: str) -> bool:
    return True


def nothing_exists(path: str) -> bool:
    return False


def requested(config: ContainerConfig | None = None, **host: Any) -> dict[str, MountPlan]:
    plans = requested_mounts(
        config or ContainerConfig(),
        HostConfig(**host),
        others={"other": OTHERS},
        path_exists=everything_exists,
    )
    return {plan.destination: plan for plan in plans}


OTHERS = (
    MountPlan(kind="volume", destination="/lent", name="lent", fill=True, anonymous=True),
    MountPlan(kind="bind", destination="/host", source="/srv", propagation="rslave"),
    MountPlan(kind="tmpfs", destination="/scratch", listed=False),
)


def test_a_path_is_bound() -> None:
    assert parse_bind("/srv/./web:/data/:ro,z,rslave") == MountPlan(
        kind="bind",
        destination="/data",
        source="/srv/web",
        mode="ro,z,rslave",
        read_only=True,
        propagation="rslave",
        create_source=True,
    )


def test_a_name_is_a_volume() -> None:
    assert parse_bind("data:/data") == MountPlan(
        kind="volume", destination="/data", name="data", mode="z", fill=True
    )
    assert parse_bind("data:/data:nocopy").fill is False
    assert parse_bind("data:/data", "own").driver == "own"


def test_a_destination_alone_is_an_anonymous_volume() -> None:
    assert parse_bind("/data") == MountPlan(
        kind="volume", destination="/data", fill=True, anonymous=True
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid volume specification: ''"),
        (":/data", "invalid volume specification: ':/data'"),
        ("/data:ro", "invalid volume specification: '/data:ro'"),
        ("a:/b:ro:c", "invalid volume specification: 'a:/b:ro:c'"),
        ("a:/b:wo", "invalid mode: wo"),
        ("a:/b:ro,rw", "invalid mode: ro,rw"),
        (
            "/a:/",
            (
                "invalid volume specification: '/a:/': invalid mount config for type \"bind\":"
                " invalid specification: destination can't be '/'"
            ),
        ),
        (
            "/a:b",
            (
                "invalid volume specification: '/a:b': invalid mount config for type \"bind\":"
                " invalid mount path: 'b' mount path must be absolute"
            ),
        ),
    ],
)
def test_wrong_binds_are_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_bind(text)
    assert str(caught.value) == message


@given(st.text(alphabet="ab/:.roz,", max_size=20))
def test_binds_are_parsed_or_refused(text: str) -> None:
    try:
        plan = parse_bind(text)
    except InvalidArgument:
        return
    assert plan.destination.startswith("/")
    assert ".." not in plan.destination.split("/")
    assert plan.kind == "volume" or plan.source.startswith("/")


@pytest.mark.parametrize("mode", ["ro", "rw,Z", "ro,rshared,nocopy", "cached"])
def test_modes(mode: str) -> None:
    assert is_mode(mode)


@pytest.mark.parametrize("mode", ["", "ro,", "x", "z,Z", "copy,nocopy", "slave,shared"])
def test_no_modes(mode: str) -> None:
    assert not is_mode(mode)


MOUNTS: list[tuple[Mount, str]] = [
    (Mount(type="bind", source="/a"), "field Target must not be empty"),
    (Mount(type="bind", target="/a"), "field Source must not be empty"),
    (Mount(type="bind", target="/", source="/a"),
     "invalid specification: destination can't be '/'"),
    (Mount(type="bind", target="a", source="/a"),
     "invalid mount path: 'a' mount path must be absolute"),
    (Mount(type="bind", target="/a", source="a"),
     "invalid mount path: 'a' mount path must be absolute"),
    (Mount(type="bind", target="/a", source="/gone"), "bind source path does not exist: /gone"),
    (Mount(type="bind", target="/a", source="/a", bind_options=BindOptions(propagation="x")),
     "invalid propagation mode: x"),
    (Mount(type="bind", target="/a", source="/a", volume_options=VolumeOptions()),
     "field VolumeOptions must not be specified"),
    (Mount(type="tmpfs", target="/a", source="/a"), "field Source must not be specified"),
    (Mount(type="tmpfs", target="/a", tmpfs_options=TmpfsOptions(options=(("suid",),))),
     "invalid option: suid"),
    (Mount(type="volume", target="/a", volume_options=VolumeOptions(subpath="x")),
     "must not set Subpath when using anonymous volumes"),
    (Mount(type="volume", target="/a", source="v", volume_options=VolumeOptions(subpath="a/../..")),
     "subpath must be a relative path within the volume"),
    (Mount(type="image", target="/a"), "field Source must not be empty"),
    (Mount(type="image", target="/a", source="i", image_options=ImageOptions(subpath="/x")),
     "subpath must be a relative path within the image"),
    (Mount(type="odd", target="/a"), "mount type unknown"),
    (Mount(target="/a"), "mount type unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("mount", "message"), MOUNTS)
def test_wrong_mounts_are_refused(mount: Mount, message: str) -> None:
    exists = nothing_exists if "exist" in message else everything_exists
    with pytest.raises(InvalidArgument) as caught:
        parse_mount(mount, exists)
    assert str(caught.value) == f'invalid mount config for type "{mount.type}": {message}'


@pytest.mark.parametrize(
    ("options", "read_only", "message"),
    [
        (BindOptions(read_only_non_recursive=True), False, "!ReadOnly && BindOptions.ReadOnlyNon"),
        (BindOptions(read_only_force_recursive=True), False, "!ReadOnly && BindOptions.ReadOnlyFo"),
        (
            BindOptions(read_only_non_recursive=True, read_only_force_recursive=True),
            True,
            "ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive",
        ),
    ],
)
def test_conflicting_options_are_refused(
    options: BindOptions, read_only: bool, message: str
) -> None:
    mount = Mount(type="bind", target="/a", source="/a", read_only=read_only, bind_options=options)
    with pytest.raises(InvalidArgument, match=f"mount options conflict: {message}"):
        parse_mount(mount, everything_exists)


def test_cluster_volumes_are_refused_by_name() -> None:
    with pytest.raises(Unsupported, match="cluster"):
        parse_mount(Mount(type="cluster", target="/a"), everything_exists)


def test_a_missing_bind_source_may_be_asked_for() -> None:
    mount = Mount(
        type="bind",
        target="/a",
        source="/gone",
        bind_options=BindOptions(create_mountpoint=True),
    )
    assert parse_mount(mount, nothing_exists).create_source


def test_a_volume_with_everything() -> None:
    mount = Mount(
        type="volume",
        target="/a",
        source="v",
        read_only=True,
        volume_options=VolumeOptions(
            no_copy=True,
            labels={"l": "1"},
            driver_config=DriverConfig(name="local", options={"type": "tmpfs"}),
            subpath="in/side",
        ),
    )
    assert parse_mount(mount, nothing_exists) == MountPlan(
        kind="volume",
        destination="/a",
        name="v",
        driver="local",
        driver_options={"type": "tmpfs"},
        labels={"l": "1"},
        mode="z",
        read_only=True,
        subpath="in/side",
    )


def test_tmpfs_options_of_a_mount() -> None:
    mount = Mount(
        type="tmpfs",
        target="/a",
        read_only=True,
        tmpfs_options=TmpfsOptions(size_bytes=1024, mode=0o1770, options=(("exec",),)),
    )
    plan = parse_mount(mount, nothing_exists)
    assert tmpfs_options(plan) == (
        "nosuid", "nodev", "rprivate", "ro", "mode=1770", "size=1024", "exec",
    )  # fmt: skip


def test_mounts_come_parents_first() -> None:
    plans = requested(binds=("/1:/a/b/c", "/2:/a", "/3:/a/b"), tmpfs={"/z": ""})
    assert list(plans) == ["/a", "/z", "/a/b", "/a/b/c"]


def test_two_mounts_at_one_place_are_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"^Duplicate mount point: /x$"):
        requested(binds=("/1:/x", "v:/x/"))
    with pytest.raises(InvalidArgument, match=r"^Duplicate mount point: /x$"):
        requested(binds=("/1:/x",), mounts=(Mount(type="tmpfs", target="/x"),))
    with pytest.raises(InvalidArgument, match=r"^Duplicate mount point: /x$"):
        requested(binds=("/1:/x",), tmpfs={"/x": "size=1m"})


def test_volumes_of_the_image_give_way() -> None:
    config = ContainerConfig(volumes={"/lent": {}, "/own": {}, "/data/": {}})
    plans = requested(config, volumes_from=("other",), binds=("/1:/own",))
    assert plans["/lent"].name == "lent"
    assert plans["/own"].kind == "bind"
    assert plans["/data"] == MountPlan(
        kind="volume", destination="/data", fill=True, anonymous=True
    )


def test_lent_volumes_keep_what_they_are_but_are_not_filled() -> None:
    plans = requested(volumes_from=("other:ro",))
    assert set(plans) == {"/lent", "/host"}
    assert plans["/lent"].read_only
    assert plans["/lent"].anonymous  # it goes with the last who has it
    assert not plans["/lent"].fill
    assert plans["/host"].propagation == "rslave"


@pytest.mark.parametrize("text", ["c:rslave", "c:nocopy", "c:x"])
def test_lending_has_few_modes(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^invalid mode: "):
        parse_volumes_from(text)


def test_lending_from_nobody_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="cannot be an empty string"):
        parse_volumes_from("")


def test_a_wrong_tmpfs_option_is_refused_at_creation() -> None:
    with pytest.raises(InvalidArgument, match=r'^invalid tmpfs option "colour"$'):
        requested(tmpfs={"/x": "colour=red"})


def test_inspect_shows_mounts() -> None:
    plans = (
        located(parse_bind("v:/data"), "/root/volumes/v/_data", name="v", driver="local"),
        parse_bind("/srv:/web:ro"),
        MountPlan(kind="tmpfs", destination="/scratch", listed=False),
    )
    assert mount_points(plans) == (
        MountPoint(
            type="volume", name="v", driver="local", source="/root/volumes/v/_data",
            destination="/data", mode="z", rw=True, propagation="",
        ),
        MountPoint(
            type="bind", source="/srv", destination="/web", mode="ro", rw=False,
            propagation="rprivate",
        ),
    )  # fmt: skip


def runtime(*plans: MountPlan, **host: Any) -> dict[str, oci.Mount]:
    mounts = runtime_mounts(plans, HostConfig(shm_size=1024, **host), NO_FILES)
    return {mount.destination: mount for mount in mounts}


def test_the_kernels_mounts_come_first() -> None:
    assert list(runtime(parse_bind("/srv:/web"))) == [
        "/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/dev/mqueue", "/dev/shm", "/web",
    ]  # fmt: skip


def test_shared_memory_has_its_size() -> None:
    assert "size=1024" in runtime()["/dev/shm"].options
    assert "/dev/shm" not in runtime(ipc_mode="none")


def test_somebodys_dev_takes_all_of_ours_away() -> None:
    mounts = runtime(parse_bind("/dev:/dev"))
    assert mounts["/dev"].type == "bind"
    assert not any(place.startswith("/dev/") for place in mounts)


def test_read_only_mounts_are_so_all_the_way_down() -> None:
    plan = parse_bind("/srv:/web:ro")
    assert runtime(plan)["/web"].options == ("rbind", "rro", "rprivate")
    (old,) = runtime_mounts((plan,), HostConfig(), NO_FILES, recursive_read_only=False)[7:]
    assert old.options == ("rbind", "ro", "rprivate")


def test_a_file_is_read_only_in_the_plain_way() -> None:
    plan = parse_bind("/etc/motd:/etc/motd:ro")
    mounts = runtime_mounts(
        (plan,), HostConfig(), NO_FILES, sources={"/etc/motd": SourceFacts(is_folder=False)}
    )
    assert mounts[-1].options == ("rbind", "ro", "rprivate")


MOUNTINFO = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:21 / /proc rw shared:5 - proc proc rw
24 22 0:30 / /mnt/my\\040disk rw master:7 - tmpfs tmpfs rw
25 22 0:31 / /srv rw shared:9 - tmpfs tmpfs rw
26 22 0:32 / /srv rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("propagation", "source", "message"),
    [
        ("rprivate", "/srv/x", ""),
        ("shared", "/proc/sys", ""),
        ("rslave", "/proc/sys", ""),
        ("rslave", "/mnt/my disk/x", ""),
        (
            "shared",
            "/mnt/my disk",
            "path /mnt/my disk is mounted on /mnt/my disk but it is not a shared mount",
        ),
        ("rshared", "/etc", "path /etc is mounted on / but it is not a shared mount"),
        ("slave", "/srv", "path /srv is mounted on /srv but it is not a shared or slave mount"),
        ("slave", "/procfs", "path /procfs is mounted on / but it is not a shared or slave mount"),
    ],
)
def test_mounts_pass_only_where_the_host_lets_them(
    propagation: str, source: str, message: str
) -> None:
    if not message:
        check_propagation(propagation, source, MOUNTINFO)
        return
    with pytest.raises(InvalidArgument) as caught:
        check_propagation(propagation, source, MOUNTINFO)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["/srv:/srv:U", "/srv:/srv:ro,idmap", "data:/data:U"])
def test_owners_are_exchanged_when_asked(text: str) -> None:
    assert parse_bind(text).id_map
    mount = Mount(type="bind", source="/s", target="/t", bind_options=BindOptions(id_map=True))
    assert parse_mount(mount, everything_exists).id_map


@given(st.integers(0, 2**32 - 2), st.integers(0, 2**32 - 2))
def test_a_map_of_owners_is_one_to_one_and_whole(outside: int, inside: int) -> None:
    mappings = exchanged(outside, inside)
    if outside == inside:
        assert mappings == ()
        return
    for numbers in (
        sorted((each.container_id, each.size) for each in mappings),
        sorted((each.host_id, each.size) for each in mappings),
    ):
        end = 0
        for first, size in numbers:
            assert first == end
            end += size
        assert end == 2**32 - 1
    shown = {each.container_id: each.host_id for each in mappings if each.size == 1}
    assert (shown[outside], shown[inside]) == (inside, outside)


def test_the_source_belongs_to_the_containers_user() -> None:
    sources = {"/srv": SourceFacts(uid=1000, gid=1000)}
    plan = parse_bind("/srv:/srv:U")
    user = oci.User(uid=33, gid=1000)
    mounts = runtime_mounts((plan,), HostConfig(), NO_FILES, sources=sources, user=user)
    assert mounts[-1].options == ("rbind", "rprivate", "idmap")
    assert mounts[-1].uid_mappings == exchanged(1000, 33)
    assert mounts[-1].gid_mappings == (oci.IdMapping(container_id=0, host_id=0, size=2**32 - 1),)
    same = oci.User(uid=1000, gid=1000)
    mounts = runtime_mounts((plan,), HostConfig(), NO_FILES, sources=sources, user=same)
    assert "idmap" not in mounts[-1].options


def test_a_forced_recursion_needs_the_kernel() -> None:
    plan = MountPlan(
        kind="bind", destination="/a", source="/a", read_only=True, force_recursive_read_only=True
    )
    with pytest.raises(Unsupported, match=r"5\.12"):
        runtime_mounts((plan,), HostConfig(), NO_FILES, recursive_read_only=False)


def test_a_read_only_root_leaves_what_programs_live_by() -> None:
    mounts = runtime(parse_bind("/srv:/web"), readonly_rootfs=True)
    assert "ro" in mounts["/sys"].options
    assert "ro" not in mounts["/proc"].options
    assert "ro" not in mounts["/dev/shm"].options
    assert "ro" not in mounts["/web"].options


def test_privileged_may_write_sys_and_cgroups() -> None:
    mounts = runtime_mounts((), HostConfig(privileged=True), NO_FILES, writable_cgroups=True)
    by_place = {mount.destination: mount for mount in mounts}
    assert "ro" not in by_place["/sys"].options
    assert "ro" not in by_place["/sys/fs/cgroup"].options


def test_the_networks_files_come_last_and_give_way() -> None:
    files = NetworkFiles(hosts="/r/hosts", hostname="/r/hostname", resolv_conf="/r/resolv.conf")
    mounts = runtime_mounts((parse_bind("/h:/etc/hosts"),), HostConfig(), files)
    assert [(mount.destination, mount.source) for mount in mounts[-3:]] == [
        ("/etc/hosts", "/h"),
        ("/etc/resolv.conf", "/r/resolv.conf"),
        ("/etc/hostname", "/r/hostname"),
    ]


def test_shared_memory_can_be_shared() -> None:
    mounts = runtime_mounts((), HostConfig(), NO_FILES, shm_source="/r/shm")
    shm = next(mount for mount in mounts if mount.destination == "/dev/shm")
    assert (shm.type, shm.source) == ("bind", "/r/shm")


@pytest.mark.parametrize(
    ("propagations", "root"),
    [(("rprivate",), ""), (("rslave", "private"), "rslave"), (("slave", "rshared"), "shared")],
)
def test_the_root_passes_on_what_mounts_need(propagations: tuple[str, ...], root: str) -> None:
    plans = [
        MountPlan(kind="bind", destination=f"/{each}", propagation=each) for each in propagations
    ]
    assert root_propagation(plans) == root


@given(
    st.lists(
        st.sampled_from(
            ["ro", "rw", "exec", "noexec", "suid", "size=1m", "size=2m", "mode=700", "defaults",
             "uid=5", "rshared", "noatime", "x", "size"]
        )
    )
)  # fmt: skip
def test_of_each_tmpfs_option_the_last_counts(words: list[str]) -> None:
    plan = MountPlan(kind="tmpfs", destination="/t", options=",".join(words))
    try:
        options = tmpfs_options(plan)
    except KnarrError:
        assert {"x", "size"} & set(words)
        return
    sizes = [word for word in words if word.startswith("size=")]
    assert [word for word in options if word.startswith("size=")] == sizes[-1:]
    assert len({"ro", "rw"} & set(options)) <= 1
    assert len({"exec", "noexec"} & set(options)) == 1
