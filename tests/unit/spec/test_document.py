import pytest

from knarr.errors import InvalidArgument
from knarr.spec import decode, decode_request, encode
from knarr.spec.docker.container import ContainerCreate
from knarr.spec.docker.volume import Volume


def test_null_fields_are_absent_and_nulls_in_maps_stay() -> None:
    raw = b'{"Image":"x","Env":null,"HostConfig":{"Binds":null,"PortBindings":{"80/tcp":null}}}'
    body = decode(raw, ContainerCreate)
    assert body.env == ()
    assert body.host_config is not None
    assert body.host_config.binds == ()
    assert body.host_config.port_bindings == {"80/tcp": None}


def test_a_null_stays_where_the_field_must_be_there() -> None:
    raw = b'{"Name":"v","Driver":"d","Mountpoint":"m","Scope":"s","Labels":null,"Options":null}'
    assert decode(raw, Volume).labels is None


def test_a_wrong_type_names_the_place() -> None:
    with pytest.raises(InvalidArgument, match=r"\$\.Image"):
        decode(b'{"Image": 5, "Env": null}', ContainerCreate)


def test_a_document_survives_the_way_there_and_back() -> None:
    body = ContainerCreate(image="busybox", cmd=("true",), labels={"a": "b"})
    assert decode(encode(body), ContainerCreate) == body


def test_a_clients_fields_count_in_any_case_and_the_right_one_first() -> None:
    body = decode_request(
        b'{"image":"x","HostConfig":{"annotations":{"Foo":"bar"},"TmpFs":{"/t":"rw"}}}',
        ContainerCreate,
    )
    assert body.image == "x"
    assert body.host_config is not None
    assert body.host_config.annotations == {"Foo": "bar"}
    assert body.host_config.tmpfs == {"/t": "rw"}
    assert decode_request(b'{"Image":"right","IMAGE":"wrong"}', ContainerCreate).image == "right"
    assert decode_request(b'{"IMAGE":"wrong","Image":"right"}', ContainerCreate).image == "right"
    with pytest.raises(InvalidArgument, match="invalid JSON"):
        decode_request(b"{", ContainerCreate)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\xa0{}", id="not UTF-8"),
        pytest.param(b'{"Image":"\xa0"}', id="a string that is not"),
        pytest.param(b'{"Image":["\xa0"]}', id="nor of the right shape"),
        pytest.param(b'{"Labels":' * 5000 + b"1", id="nested too deeply"),
        pytest.param(b"[" * 100_000, id="lists, very deeply"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_bytes_that_are_no_document_are_refused(raw: bytes) -> None:
    for read in (decode, decode_request):
        with pytest.raises(InvalidArgument, match="invalid JSON"):
            read(raw, ContainerCreate)
