"""The OCI distribution-spec 1.1, endpoint by endpoint, as a client sees it from outside.

Each test is named for a row of the specification's table "Endpoints" and holds what the text beside
it asks of a registry. Debian's registry stands the same tests, but for what is newer than it is: so
they are about the specification, not about us.
"""

import http.client
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import pytest

from support.http import Answered
from support.peers import docker_registry
from support.server import our_registry

pytestmark = pytest.mark.needs("docker-registry")
OCI = "application/vnd.oci.image"
MANIFEST, INDEX = f"{OCI}.manifest.v1+json", f"{OCI}.index.v1+json"
OCTETS = {"Content-Type": "application/octet-stream"}
newer = pytest.mark.parametrize("host", ["knarr"], indirect=True)  # or where Debian's is lax


@dataclass(frozen=True)
class Repository:
    host: str
    name: str

    def __call__(
        self, method: str, place: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answered:
        """place: within the repository, or from the root, or a whole Location."""
        parts = urlsplit(place)
        path = parts.path if parts.path.startswith("/") else f"/v2/{self.name}/{parts.path}"
        connection = http.client.HTTPConnection(self.host, timeout=20)
        try:
            target = path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body or None, headers or {})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answered(answer.status, found, answer.read())
        finally:
            connection.close()

    def blob(self, raw: bytes) -> dict[str, Any]:
        where = self("POST", "blobs/uploads/").headers["location"]
        assert self("PUT", closing(where, raw), raw, OCTETS).status == 201
        return {"digest": digest_of(raw), "size": len(raw)}

    def manifest(self, *layers: bytes, **more: Any) -> bytes:
        config = {"mediaType": f"{OCI}.config.v1+json", **self.blob(b"{}")}
        found = [{"mediaType": f"{OCI}.layer.v1.tar", **self.blob(each)} for each in layers]
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": found}
        return json.dumps({**document, **more}).encode()

    def put(self, reference: str, raw: bytes, kind: str = MANIFEST) -> Answered:
        return self("PUT", f"manifests/{reference}", raw, {"Content-Type": kind})


def digest_of(raw: bytes) -> str:
    return "sha256:" + sha256(raw).hexdigest()


def closing(where: str, raw: bytes) -> str:
    """A Location may have a query of its own: it is kept."""
    return f"{where}{'&' if '?' in where else '?'}digest={digest_of(raw)}"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    ours, theirs = tmp_path_factory.mktemp("ours"), tmp_path_factory.mktemp("theirs")
    with our_registry(ours, None) as knarr, docker_registry(theirs) as debian:
        yield {"knarr": knarr, "debian": debian}


@pytest.fixture(params=["knarr", "debian"])
def host(request: pytest.FixtureRequest, hosts: dict[str, str]) -> str:
    return hosts[request.param]


@pytest.fixture
def repository(host: str) -> Repository:
    return Repository(host, f"team/{secrets.token_hex(4)}")


def test_end_1_the_check(repository: Repository) -> None:
    assert repository("GET", "/v2/").status == 200


def test_end_2_a_blob_is_there_or_not(repository: Repository) -> None:
    blob = repository.blob(b"ahoy")
    head = repository("HEAD", f"blobs/{blob['digest']}")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "4")
    got = repository("GET", f"blobs/{blob['digest']}")
    assert (got.status, got.body) == (200, b"ahoy")
    assert got.headers["docker-content-digest"] == blob["digest"]
    assert repository("HEAD", f"blobs/{digest_of(b'none')}").status == 404
    missing = repository("GET", f"blobs/{digest_of(b'none')}")
    assert (missing.status, missing.code) == (404, "BLOB_UNKNOWN")


@newer
def test_end_2_a_part_of_a_blob(repository: Repository) -> None:
    place = f"blobs/{repository.blob(b'0123456789')['digest']}"
    part = repository("GET", place, headers={"Range": "bytes=2-5"})
    assert (part.status, part.body) == (206, b"2345")
    assert part.headers["content-range"] == "bytes 2-5/10"
    assert repository("GET", place, headers={"Range": "bytes=7-"}).body == b"789"
    assert repository("GET", place, headers={"Range": "bytes=90-99"}).status == 416


def test_end_3_a_manifest_by_tag_and_by_digest(repository: Repository) -> None:
    raw = repository.manifest(b"layer")
    repository.put("v1.0_x", raw)
    for reference in ("v1.0_x", digest_of(raw)):
        got = repository("GET", f"manifests/{reference}", headers={"Accept": MANIFEST})
        assert (got.status, got.body) == (200, raw)
        assert got.headers["content-type"] == MANIFEST
        assert got.headers["docker-content-digest"] == digest_of(raw)
        head = repository("HEAD", f"manifests/{reference}", headers={"Accept": MANIFEST})
        assert (head.status, head.headers["content-length"]) == (200, str(len(raw)))
    missing = repository("GET", "manifests/none")
    assert (missing.status, missing.code) == (404, "MANIFEST_UNKNOWN")
    assert repository("HEAD", "manifests/none").status == 404


def test_end_4a_and_6_an_upload_in_two_requests(repository: Repository) -> None:
    opened = repository("POST", "blobs/uploads/")
    assert opened.status == 202
    closed = repository("PUT", closing(opened.headers["location"], b"ahoy"), b"ahoy", OCTETS)
    assert closed.status == 201
    assert repository("GET", closed.headers["location"]).body == b"ahoy"


@newer
def test_end_4b_an_upload_in_one_request(repository: Repository) -> None:
    done = repository("POST", f"blobs/uploads/?digest={digest_of(b'ahoy')}", b"ahoy", OCTETS)
    assert done.status == 201
    assert repository("GET", done.headers["location"]).body == b"ahoy"


@newer
def test_end_5_and_13_chunks_in_order_and_how_far_they_are(repository: Repository) -> None:
    where = repository("POST", "blobs/uploads/").headers["location"]
    first = repository("PATCH", where, b"abc", {**OCTETS, "Content-Range": "0-2"})
    assert (first.status, first.headers["range"]) == (202, "0-2")
    told = repository("GET", first.headers["location"])
    assert (told.status, told.headers["range"]) == (204, "0-2")
    where = told.headers["location"]
    early = repository("PATCH", where, b"xyz", {**OCTETS, "Content-Range": "7-9"})
    assert early.status == 416
    second = repository("PATCH", where, b"def", {**OCTETS, "Content-Range": "3-5"})
    assert (second.status, second.headers["range"]) == (202, "0-5")
    last = closing(second.headers["location"], b"abcdefg")
    assert repository("PUT", last, b"g", {**OCTETS, "Content-Range": "6-6"}).status == 201
    assert repository("GET", f"blobs/{digest_of(b'abcdefg')}").body == b"abcdefg"


def test_end_6_another_digest_is_refused(repository: Repository) -> None:
    where = repository("POST", "blobs/uploads/").headers["location"]
    wrong = repository("PUT", closing(where, b"something else"), b"ahoy", OCTETS)
    assert (wrong.status, wrong.code) == (400, "DIGEST_INVALID")
    assert repository("HEAD", f"blobs/{digest_of(b'something else')}").status == 404


def test_end_7a_parts_come_before_what_names_them(repository: Repository) -> None:
    raw = repository.manifest(b"layer")
    missing = raw.replace(digest_of(b"layer").encode(), digest_of(b"none").encode())
    refused = repository.put("1", missing)
    assert 400 <= refused.status < 500
    assert refused.code in ("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN")
    taken = repository.put("1", raw)
    assert (taken.status, taken.headers["docker-content-digest"]) == (201, digest_of(raw))
    assert repository("GET", taken.headers["location"], headers={"Accept": MANIFEST}).body == raw


def test_end_7a_an_index_and_its_children(repository: Repository) -> None:
    raw = repository.manifest(b"layer")
    child = {"mediaType": MANIFEST, "digest": digest_of(raw), "size": len(raw)}
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]}).encode()
    assert 400 <= repository.put("all", index, INDEX).status < 500
    assert repository.put(digest_of(raw), raw).status == 201
    assert repository.put("all", index, INDEX).status == 201
    got = repository("GET", "manifests/all", headers={"Accept": f"{INDEX}, {MANIFEST}"})
    assert (got.body, got.headers["content-type"]) == (index, INDEX)


def test_end_7a_a_digest_that_is_not_the_manifests(repository: Repository) -> None:
    refused = repository.put(digest_of(b"other"), repository.manifest(b"layer"))
    assert (refused.status, refused.code) == (400, "DIGEST_INVALID")


@newer
def test_end_7a_an_artifact_without_layers_and_a_subject_that_is_yet_to_come(
    repository: Repository,
) -> None:
    subject = {"mediaType": MANIFEST, "digest": digest_of(b"later"), "size": 5}
    raw = repository.manifest(subject=subject, artifactType="x/y")
    taken = repository.put(digest_of(raw), raw)
    assert (taken.status, taken.headers["oci-subject"]) == (201, digest_of(b"later"))
    listed = repository("GET", f"referrers/{digest_of(b'later')}").json["manifests"]
    assert [each["digest"] for each in listed] == [digest_of(raw)]


@newer
def test_end_8_tags_in_order_and_in_pages(repository: Repository) -> None:
    raw = repository.manifest(b"layer")
    for tag in ("c", "a", "b", "Z"):
        repository.put(tag, raw)
    assert repository("GET", "tags/list").json == {
        "name": repository.name,
        "tags": ["Z", "a", "b", "c"],
    }


@newer
def test_end_8b_each_page_leads_to_the_next(repository: Repository) -> None:
    raw = repository.manifest(b"layer")
    for tag in ("c", "a", "b", "Z"):
        repository.put(tag, raw)
    place, found = "tags/list?n=3", []
    while place:
        page = repository("GET", place)
        found.append(page.json["tags"])
        place = page.headers.get("link", "").partition(">")[0].lstrip("<")
    assert found == [["Z", "a", "b"], ["c"]]
    assert repository("GET", "tags/list?n=2&last=a").json["tags"] == ["b", "c"]
    assert repository("GET", "tags/list?n=0").json["tags"] == []


def test_end_8_a_repository_that_is_not_there(repository: Repository) -> None:
    missing = repository("GET", "tags/list")
    assert (missing.status, missing.code) == (404, "NAME_UNKNOWN")


def test_end_9_a_manifest_is_deleted(repository: Repository) -> None:
    raw = repository.manifest(b"layer")
    repository.put("1", raw)
    assert repository("DELETE", f"manifests/{digest_of(raw)}").status == 202
    assert repository("GET", f"manifests/{digest_of(raw)}").status == 404
    assert repository("GET", "manifests/1").status == 404


@newer
def test_end_9_a_tag_is_deleted_and_the_manifest_stays(repository: Repository) -> None:
    raw = repository.manifest(b"layer")
    repository.put("1", raw)
    assert repository("DELETE", "manifests/1").status == 202
    assert repository("GET", "manifests/1").status == 404
    assert repository("GET", f"manifests/{digest_of(raw)}").status == 200


def test_end_10_a_blob_is_deleted(repository: Repository) -> None:
    blob = repository.blob(b"ahoy")
    assert repository("DELETE", f"blobs/{blob['digest']}").status == 202
    assert repository("GET", f"blobs/{blob['digest']}").status == 404


def test_end_11_a_blob_is_mounted_or_an_upload_begins(repository: Repository) -> None:
    blob = repository.blob(secrets.token_bytes(20))
    other = Repository(repository.host, repository.name + "-other")
    mount = f"blobs/uploads/?mount={blob['digest']}&from="
    assert other("POST", mount + "no/such").status == 202
    mounted = other("POST", mount + repository.name)
    assert mounted.status == 201
    assert other("HEAD", mounted.headers["location"]).status == 200


@newer
def test_end_12_referrers_all_and_of_one_kind(repository: Repository) -> None:
    raw = repository.manifest(b"layer")
    repository.put("1", raw)
    subject = {"mediaType": MANIFEST, "digest": digest_of(raw), "size": len(raw)}
    for kind in ("x/signature", "x/sbom"):
        made = repository.manifest(subject=subject, artifactType=kind, annotations={"k": kind})
        repository.put(digest_of(made), made)
    listed = repository("GET", f"referrers/{digest_of(raw)}")
    assert (listed.status, listed.headers["content-type"]) == (200, INDEX)
    kinds = {each["artifactType"]: each["annotations"] for each in listed.json["manifests"]}
    assert kinds == {"x/signature": {"k": "x/signature"}, "x/sbom": {"k": "x/sbom"}}
    one = repository("GET", f"referrers/{digest_of(raw)}?artifactType=x/sbom")
    assert [each["artifactType"] for each in one.json["manifests"]] == ["x/sbom"]
    assert one.headers["oci-filters-applied"] == "artifactType"
    none = repository("GET", f"referrers/{digest_of(b'none')}")
    assert (none.status, none.json["manifests"]) == (200, [])
    assert repository("GET", "referrers/nonsense").status == 400


def test_end_14_an_upload_is_called_off(repository: Repository) -> None:
    where = repository("POST", "blobs/uploads/").headers["location"]
    assert repository("DELETE", where).status == 204
    gone = repository("GET", where)
    assert (gone.status, gone.code) == (404, "BLOB_UPLOAD_UNKNOWN")


@newer
@pytest.mark.parametrize("name", ["UPPER", "a//b", "-a", "a" * 256])
def test_a_name_that_cannot_be_one(host: str, name: str) -> None:
    answer = Repository(host, name)("GET", "tags/list")
    assert (answer.status, answer.code) == (400, "NAME_INVALID")


@newer
@pytest.mark.parametrize("tag", [".a", "-a", "a" * 129, "a+b"])
def test_a_tag_that_cannot_be_one(repository: Repository, tag: str) -> None:
    refused = repository.put(tag, repository.manifest(b"layer"))
    assert (refused.status, refused.code) == (400, "TAG_INVALID")


@newer
def test_another_algorithm_is_refused_in_a_sentence(repository: Repository) -> None:
    digest = "sha512:" + "a" * 128
    where = repository("POST", "blobs/uploads/").headers["location"]
    refused = repository("PUT", f"{where}?digest={digest}", b"ahoy", OCTETS)
    assert (refused.status, refused.code) == (400, "DIGEST_INVALID")
    assert "sha256" in refused.json["errors"][0]["message"]
    layer = {"mediaType": f"{OCI}.layer.v1.tar", "digest": digest, "size": 4}
    named = repository.put("1", repository.manifest(layers=[layer]))
    assert named.status == 400
    assert "sha256" in named.json["errors"][0]["message"]
