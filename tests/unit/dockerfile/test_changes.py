import pytest

from knarr.dockerfile.changes import edited
from knarr.errors import InvalidArgument
from knarr.spec.docker.image import ImageConfig


def test_changes_edit_the_config_in_their_order() -> None:
    changes = ['ENV B="two words" C=$A', 'CMD ["serve"]', "EXPOSE 80", "LABEL a=b", "USER nobody"]
    after = edited(ImageConfig(env=("A=1",)), changes)
    assert after.env == ("A=1", "B=two words", "C=1")
    assert after.cmd == ("serve",)
    assert after.exposed_ports == {"80/tcp": {}}
    assert (after.labels, after.user) == ({"a": "b"}, "nobody")


def test_what_changes_files_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="run is not a valid change command"):
        edited(ImageConfig(), ["RUN true"])


def test_without_changes_the_config_is_the_same() -> None:
    config = ImageConfig(cmd=("x",))
    assert edited(config, ()) is config
