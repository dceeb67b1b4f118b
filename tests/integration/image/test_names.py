import pytest

from knarr.errors import Conflict, InvalidArgument, NotFound
from knarr.ids import ContainerId
from knarr.image import ImageUser, NewImage
from knarr.reference import Reference
from knarr.spec.docker.image import ImageDeleted
from support import images
from support.rooms import Rooms

LAYERS = (images.layer({"a": b"a" * 100}), images.layer({"b": b"b" * 50}))
FIRST = images.document(LAYERS, {"Labels": {"tier": "one"}}, created="2024-01-01T00:00:00Z")
SECOND = images.document(LAYERS[:1], {"Labels": {"tier": "two"}}, created="2024-02-01T00:00:00Z")
CONTAINER = ContainerId("c0ffee" + "0" * 58)


@pytest.fixture
async def loaded(rooms: Rooms) -> Rooms:
    await rooms.load(images.docker_archive(LAYERS, FIRST, ("one:1", "one:latest", "repo/x:1")))
    await rooms.load(images.docker_archive(LAYERS[:1], SECOND, ("two:1",)))
    rooms.events.clear()
    return rooms


pytestmark = pytest.mark.needs("root")
ID = images.digest(FIRST)


def listed(rooms: Rooms, **filters: str) -> list[str]:
    given = {key.replace("_not", "!"): [value] for key, value in filters.items()}
    return [tag for each in rooms.images.list(given) for tag in each.repo_tags or ("<none>",)]


async def test_an_image_is_called_by_many_names(loaded: Rooms) -> None:
    for ref in (
        "one", "one:1", "one:latest", "docker.io/library/one:1", "repo/x:1", ID, ID[7:], ID[7:19],
        ID[:20], "one@" + ID,
    ):  # fmt: skip
        assert loaded.images.resolve(ref).id == ID, ref


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("three", "No such image: three:latest"),
        ("one:3", "No such image: one:3"),
        ("0" * 12, f"No such image: {'0' * 12}:latest"),
        (f"sha256:{'0' * 64}", f"No such image: sha256:{'0' * 64}"),
        (f"one@sha256:{'1' * 64}", f"No such image: one@sha256:{'1' * 64}"),
    ],
)
async def test_an_unknown_image_is_told_in_dockers_words(
    loaded: Rooms, ref: str, message: str
) -> None:
    with pytest.raises(NotFound) as caught:
        loaded.images.resolve(ref)
    assert str(caught.value) == message
    assert loaded.images.find(ref) is None


async def test_what_can_be_no_name_is_refused(loaded: Rooms) -> None:
    with pytest.raises(InvalidArgument, match="must be lowercase"):
        loaded.images.resolve("One")
    with pytest.raises(InvalidArgument, match="invalid reference format"):
        loaded.images.resolve("one:::")


async def test_a_tag_is_moved_and_told_of(loaded: Rooms) -> None:
    loaded.images.tag("two:1", "one", "1")
    assert loaded.images.resolve("one:1").id == images.digest(SECOND)
    (event,) = loaded.events
    assert (event.action, event.actor) == ("tag", images.digest(SECOND))
    assert event.attributes == {"name": "one:1", "tier": "two"}


@pytest.mark.parametrize(
    ("repository", "tag", "message"),
    [
        ("one@" + ID, "", "refusing to create a tag with a digest reference"),
        ("sha256", "x", "refusing to create an ambiguous tag"),
        ("one", "!", "invalid reference format"),
        ("ONE", "", "must be lowercase"),
    ],
)
async def test_a_bad_new_name_is_refused(
    loaded: Rooms, repository: str, tag: str, message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        loaded.images.tag("one", repository, tag)


async def test_images_are_listed_newest_first_and_filtered(loaded: Rooms) -> None:
    await loaded.load(images.docker_archive(LAYERS, images.document(LAYERS, {}), ()))
    everything = ["two:1", "one:1", "one:latest", "repo/x:1", "<none>"]
    assert sorted(listed(loaded)) == sorted(everything)
    assert listed(loaded)[0] == "two:1"
    assert listed(loaded, reference="one") == ["one:1", "one:latest"]
    assert listed(loaded, reference="*:1") == ["two:1", "one:1"]
    assert listed(loaded, reference="*/*") == ["repo/x:1"]
    assert listed(loaded, label="tier=two") == ["two:1"]
    assert listed(loaded, label_not="tier=two", reference="one:1") == ["one:1"]
    assert listed(loaded, dangling="true") == ["<none>"]
    assert listed(loaded, dangling="false") == everything[:-1]
    assert listed(loaded, since="one:1") == ["two:1"]
    assert "two:1" not in listed(loaded, before="two:1")
    assert "two:1" not in listed(loaded, until="2024-01-15")


async def test_bad_filters_are_refused(loaded: Rooms) -> None:
    with pytest.raises(InvalidArgument, match="invalid filter 'colour'"):
        listed(loaded, colour="red")
    with pytest.raises(InvalidArgument, match="invalid filter 'dangling=perhaps'"):
        listed(loaded, dangling="perhaps")
    with pytest.raises(NotFound):
        listed(loaded, since="nothing")


async def test_an_image_is_shown_whole(loaded: Rooms) -> None:
    shown = loaded.images.inspect("one")
    assert shown.id == ID
    assert shown.repo_tags == ("one:1", "one:latest", "repo/x:1")
    assert shown.size == 150
    assert shown.rootfs is not None
    assert shown.rootfs.layers == tuple(map(images.digest, LAYERS))
    assert shown.created == "2024-01-01T00:00:00Z"
    assert shown.graph_driver is not None
    assert set(shown.graph_driver.data) == {"UpperDir", "LowerDir"}


async def test_shared_and_own_sizes_are_told_apart(loaded: Rooms) -> None:
    sizes = {each.id: each.shared_size for each in loaded.images.list({}, shared_size=True)}
    assert sizes == {ID: 100, images.digest(SECOND): 100}
    assert {each.shared_size for each in loaded.images.list({})} == {-1}


async def test_the_history_names_the_steps_newest_first(loaded: Rooms) -> None:
    newest, oldest = loaded.images.history("one")
    assert (newest.id, newest.size, newest.created_by) == (ID, 50, "layer 1")
    assert newest.tags == ("one:1", "one:latest", "repo/x:1")
    assert (oldest.id, oldest.size) == ("<missing>", 100)


async def test_a_name_of_several_is_only_untagged(loaded: Rooms) -> None:
    assert await loaded.images.remove("one:1") == (ImageDeleted(untagged="one:1"),)
    assert loaded.told() == ["untag"]
    assert loaded.images.resolve("one").id == ID


async def test_with_the_last_name_the_image_goes_and_shared_layers_stay(loaded: Rooms) -> None:
    await loaded.images.remove("one:1")
    await loaded.images.remove("repo/x:1")
    untagged, deleted, layer = await loaded.images.remove("one")
    assert untagged == ImageDeleted(untagged="one:latest")
    assert deleted == ImageDeleted(deleted=ID)
    assert layer.deleted.startswith("sha256:")
    assert loaded.told() == ["untag"] * 3 + ["delete"]
    kept = {f"layers/{images.digest(LAYERS[0])[7:]}", "layers/tmp"}
    assert loaded.files() == kept
    await loaded.images.remove("two:1")
    assert loaded.files() == {"layers/tmp"}


async def test_an_id_of_an_image_in_several_repositories_needs_force(loaded: Rooms) -> None:
    with pytest.raises(Conflict) as caught:
        await loaded.images.remove(ID)
    assert str(caught.value) == (
        f"conflict: unable to delete {ID[7:19]} (must be forced)"
        " - image is referenced in multiple repositories"
    )
    told = await loaded.images.remove(ID, force=True)
    assert [each.untagged for each in told[:3]] == ["one:1", "one:latest", "repo/x:1"]
    assert told[3].deleted == ID


async def test_the_last_name_of_a_container_s_image_needs_force(loaded: Rooms) -> None:
    image = loaded.images.resolve("two:1").id
    loaded.users.by_image[image] = (ImageUser(id=CONTAINER, running=False),)
    with pytest.raises(Conflict) as caught:
        await loaded.images.remove("two:1")
    assert str(caught.value) == (
        'conflict: unable to remove repository reference "two:1" (must force)'
        f" - container c0ffee000000 is using its referenced image {image[7:19]}"
    )
    with pytest.raises(Conflict, match=r"\(must be forced\) - image is being used by stopped"):
        await loaded.images.remove(image)
    told = await loaded.images.remove("two:1", force=True)
    assert told[0].untagged == "two:1"
    assert told[1].deleted == image


async def test_the_image_of_a_running_container_stays_whatever_force(loaded: Rooms) -> None:
    image = loaded.images.resolve("two:1").id
    loaded.users.by_image[image] = (ImageUser(id=CONTAINER, running=True),)
    with pytest.raises(Conflict, match=r"\(cannot be forced\) - image is being used by running"):
        await loaded.images.remove(image, force=True)
    assert await loaded.images.remove("two:1", force=True) == (ImageDeleted(untagged="two:1"),)
    assert loaded.images.get(image).tags == ()


async def test_an_image_with_children_stays(loaded: Rooms) -> None:
    parent = loaded.images.resolve("two:1")
    child = images.document(LAYERS, {"Cmd": ["child"]})
    loaded.images.add(NewImage(config=child, tags=(Reference.parse("child:1"),), parent=parent.id))
    assert loaded.images.history("child:1")[1].id == parent.id
    with pytest.raises(Conflict, match=r"cannot be forced\) - image has dependent child images"):
        await loaded.images.remove(parent.id, force=True)
    await loaded.images.remove("two:1")
    assert [each.id for each in loaded.images.list({}) if not each.repo_tags] == []
    assert parent.id in [each.id for each in loaded.images.list({}, everything=True)]
    told = await loaded.images.remove("child:1")
    deleted = [each.deleted for each in told if each.deleted in (parent.id, images.digest(child))]
    assert deleted == [images.digest(child), parent.id]


async def test_prune_takes_what_has_no_name_and_with_all_what_no_container_uses(
    loaded: Rooms,
) -> None:
    layers = (images.layer({"c": b"c" * 7}),)
    await loaded.load(images.docker_archive(layers, images.document(layers, {}), ()))
    pruned = await loaded.images.prune({})
    assert pruned.space_reclaimed == 7
    assert len(loaded.images.list({})) == 2
    two = loaded.images.resolve("two:1").id
    loaded.users.by_image[two] = (ImageUser(id=CONTAINER, running=False),)
    pruned = await loaded.images.prune({"dangling": ["false"]})
    assert pruned.space_reclaimed == 50
    assert listed(loaded) == ["two:1"]
    assert loaded.events[-1].attributes == {"reclaimed": "50"}
