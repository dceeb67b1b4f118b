import json

from knarr.spec.document import decode, encode
from knarr.spec.oci.runtime import (
    OCI_VERSION,
    BlockIo,
    DeviceRule,
    IdMapping,
    Linux,
    Memory,
    Namespace,
    Process,
    Resources,
    Root,
    Spec,
    ThrottleDevice,
    User,
)

SPEC = Spec(
    oci_version=OCI_VERSION,
    process=Process(args=("true",), cwd="/", user=User(uid=0, gid=0)),
    root=Root(path="rootfs"),
    linux=Linux(
        namespaces=(Namespace(type="pid"),),
        uid_mappings=(IdMapping(container_id=0, host_id=1000, size=1),),
        resources=Resources(
            devices=(DeviceRule(allow=False, access="rwm"),),
            memory=Memory(disable_oom_killer=False),
            block_io=BlockIo(throttle_read_iops_device=(ThrottleDevice(major=8, minor=0, rate=5),)),
        ),
    ),
)


def test_what_the_specification_requires_is_written_even_when_it_is_zero_or_false() -> None:
    document = json.loads(encode(SPEC))
    assert document["process"]["user"] == {"uid": 0, "gid": 0}
    assert document["linux"]["resources"]["devices"] == [{"allow": False, "access": "rwm"}]


def test_what_is_absent_is_left_out() -> None:
    assert set(json.loads(encode(SPEC))) == {"ociVersion", "process", "root", "linux"}


def test_names_with_abbreviations_are_those_of_the_specification() -> None:
    linux = json.loads(encode(SPEC))["linux"]
    assert linux["uidMappings"] == [{"containerID": 0, "hostID": 1000, "size": 1}]
    assert linux["resources"]["memory"] == {"disableOOMKiller": False}
    assert "throttleReadIOPSDevice" in linux["resources"]["blockIO"]


def test_a_spec_survives_the_way_to_disk_and_back() -> None:
    assert decode(encode(SPEC), Spec) == SPEC
