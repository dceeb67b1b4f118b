"""The same layers in Docker: it unpacks the same trees, except where a recipe says why not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import images, recipes
from support.dockers import Docker, docker_daemon

GOLDEN = recipes.recipes()


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    with docker_daemon() as running:
        yield running


@pytest.mark.needs("root", "overlay", "dockerd", "docker")
@pytest.mark.parametrize("case", GOLDEN)
def test_docker_unpacks_the_same_tree(docker: Docker, case: str) -> None:
    recipe = GOLDEN[case]
    layer = recipes.built(recipe)
    archive = images.docker_archive((layer,), images.document((layer,), {}), (f"{case}:1",))
    said = docker("load", stdin=archive, check=False)
    if recipe.get("docker") == "refuses them":
        assert "Loaded" not in said
        return
    assert f"Loaded image: {case}:1" in said
    tree = recipes.tree(Path(docker.inspect(f"{case}:1")["GraphDriver"]["Data"]["UpperDir"]))
    assert (tree == recipe["tree"]) == ("docker" not in recipe)
