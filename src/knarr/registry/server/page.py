"""The registry's pages for people: plain HTML, made of values. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import Final
from urllib.parse import quote

from knarr.ids import short
from knarr.registry.server.describe import ImageView, RepositoryLine, Step, TagView
from knarr.units import human_size

_STYLE: Final = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line);
         vertical-align: top; }
.size { text-align: right; white-space: nowrap; } .layer { white-space: nowrap; }
code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere; }
.quiet { opacity: .65; } a { color: inherit; }
"""


def list_page(repositories: Iterable[RepositoryLine]) -> str:
    """All repositories."""
    lines = "".join(
        f"<tr><td><a href='/repository/{quote(each.name)}'>{escape(each.name)}</a></td>"
        f"<td>{_tag_links(each.name, each.tags)}</td>"
        f"<td class='size'>{human_size(each.size_bytes)}</td>"
        f"<td class='quiet'>{_moment(each.updated_ns)}</td></tr>"
        for each in repositories
    )
    if not lines:
        return _document("Repositories", "<p>Nothing has been pushed yet.</p>")
    head = "<tr><th>Repository<th>Tags<th class='size'>Size<th>Updated</tr>"
    return _document("Repositories", f"<table>{head}{lines}</table>")


def repository_page(name: str, tags: Iterable[TagView]) -> str:
    """The tags of one repository, each image with its layers and how they were made."""
    parts = [f"<p><a href='/'>All repositories</a></p>{''.join(_tag(name, each) for each in tags)}"]
    return _document(name, "".join(parts))


def _tag(name: str, tag: TagView) -> str:
    images = "".join(_image(image) for image in tag.images)
    return (
        f"<h2 id='{escape(tag.tag)}'>{escape(name)}:{escape(tag.tag)}</h2>"
        f"<p class='quiet'><code>{escape(tag.digest)}</code><br>"
        f"{human_size(tag.size_bytes)}, {_moment(tag.tagged_ns)}</p>{images}"
    )


def _image(image: ImageView) -> str:
    title = image.platform or image.media_type
    steps = "".join(_step(step) for step in image.steps)
    table = (
        f"<table><tr><th>Made by<th>Layer<th class='size'>Size</tr>{steps}</table>" if steps else ""
    )
    return f"<p>{escape(title)}, {human_size(image.size_bytes)}</p>{table}"


def _step(step: Step) -> str:
    layer = (
        f"<code class='layer' title='{escape(step.layer)}'>{short(step.layer)}</code>"
        if step.layer
        else ""
    )
    size = human_size(step.size_bytes) if step.layer else ""
    made = escape(step.created_by) or "<span class='quiet'>unknown</span>"
    return f"<tr><td><code>{made}</code><td>{layer}<td class='size'>{size}</tr>"


def _tag_links(name: str, tags: Iterable[str]) -> str:
    return " ".join(
        f"<a href='/repository/{quote(name)}:{quote(tag)}'>{escape(tag)}</a>" for tag in tags
    )


def _moment(time_ns: int) -> str:
    if not time_ns:
        return ""
    return datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _document(title: str, body: str) -> str:
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
        f"<h1>{escape(title)}</h1>{body}</html>"
    )
