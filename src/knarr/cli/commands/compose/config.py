from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from knarr.cli.cli import Cli
from knarr.cli.command import Annotated, Flag, command
from knarr.cli.compose.call import Call, called
from knarr.cli.compose.flags import Common
from knarr.cli.table import aligned
from knarr.compose.config import rendered, rendered_tree
from knarr.compose.consistency import check_container_names
from knarr.compose.env_files import with_env_files
from knarr.compose.interpolation import Variable, variables_in
from knarr.compose.loader import load_tree
from knarr.compose.project import Project, Service
from knarr.compose.rendering import as_json, as_yaml, service_hash
from knarr.compose.shape import Form
from knarr.errors import InvalidArgument, NotFound


@command("compose config", usage="[SERVICE...]")
def config(
    cli: Cli,
    *services: str,
    common: Common,
    environment: Annotated[bool, Flag("Print the variables that are known")] = False,
    format_: Annotated[str, Flag('Form of the output ("yaml"|"json")')] = "",
    hash_: Annotated[str, Flag("Print the hash of these services, or of * all")] = "",
    images: Annotated[bool, Flag("Print names of images, one a line")] = False,
    lock_image_digests: Annotated[bool, Flag("Print a file that pins images")] = False,
    models: Annotated[bool, Flag("Print names of models, one a line")] = False,
    networks: Annotated[bool, Flag("Print names of networks, one a line")] = False,
    no_consistency: Annotated[bool, Flag("Do not check what refers to what")] = False,
    no_env_resolution: Annotated[bool, Flag("Do not read env files")] = False,
    no_interpolate: Annotated[bool, Flag("Leave variables as they are")] = False,
    no_normalize: Annotated[bool, Flag("Leave unsaid what is implied")] = False,
    no_path_resolution: Annotated[bool, Flag("Leave paths relative")] = False,
    output: Annotated[str, Flag("File to write, in place of standard output", short="-o")] = "",
    profiles: Annotated[bool, Flag("Print names of profiles, one a line")] = False,
    quiet: Annotated[bool, Flag("Check and print nothing", short="-q")] = False,
    resolve_image_digests: Annotated[bool, Flag("Pin images by their digests")] = False,
    services_: Annotated[bool, Flag("Print names of services, one a line")] = False,
    variables: Annotated[bool, Flag("Print the variables that the files use")] = False,
    volumes: Annotated[bool, Flag("Print names of volumes, one a line")] = False,
) -> None:
    """Check the compose files and print what they come to"""
    form = _form(format_)
    with called(cli, common) as call:
        steps: dict[str, Any] = {
            "interpolate": not (no_interpolate or variables),
            "normalise": not (no_normalize or cli.group.get("compatibility")),
            "resolve_paths": not no_path_resolution,
            "check_consistency": not no_consistency,
            "resolve_environment": False,
        }
        if variables:
            text = _variables(_tree(call, steps), form if format_ else None)
        elif no_interpolate and not (services_ or volumes or networks or images or hash_):
            tree = _tree(call, steps)
            if resolve_image_digests or lock_image_digests:
                from knarr.cli.compose.digests import pinned_tree

                tree = pinned_tree(call, tree)
            text = rendered_tree(_images_of(tree) if lock_image_digests else tree, form)
        elif lists := _lists(
            _for_lists(call, services if images or profiles else (), steps,
                       env_files=environment and not no_env_resolution),
            services=services_, volumes=volumes, networks=networks, models=models,
            hashed=hash_, profiles=profiles, images=images, environment=environment,
            separator=call.separator,
        ):  # fmt: skip
            text = "".join(f"{line}\n" for line in lists[0])
        else:
            project = call.config_project(services, **steps)
            if resolve_image_digests or lock_image_digests:
                from knarr.cli.compose.digests import pinned

                project = pinned(call, project)
            if not no_env_resolution:
                project = with_env_files(project, call.files, call.warn)
            if not no_consistency:
                check_container_names(project)
            if lock_image_digests:
                project = _images_only(project)
            text = rendered(project, form).replace("$", "$$")
    if quiet:
        return
    if output:
        with open(output, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        cli.out.write(text)


def _form(text: str) -> Form:
    try:
        return Form(text or "yaml")
    except ValueError as error:
        raise InvalidArgument(f'unsupported format "{text}"') from error


def _tree(call: Call, steps: dict[str, Any]) -> dict[str, Any]:
    request = replace(call.found.request, **steps)
    return load_tree(request, call.files, call.warn)


def _for_lists(
    call: Call, services: Iterable[str], steps: dict[str, Any], *, env_files: bool
) -> Project:
    """env_files: one that is missing is an error."""
    project = call.config_project(services, **steps)
    return with_env_files(project, call.files, call.warn) if env_files else project


def _lists(
    project: Project,
    *,
    services: bool,
    volumes: bool,
    networks: bool,
    models: bool,
    hashed: str,
    profiles: bool,
    images: bool,
    environment: bool,
    separator: str,
) -> list[Iterable[str]]:
    """The lines of the list that is asked for, as the only entry; nothing when none is."""
    if services:
        return [_dependencies_first(project)]
    if volumes:
        return [sorted(project.volumes)]
    if networks:
        return [sorted(project.networks)]
    if models:
        return [sorted(str(each["model"]) for each in project.models.values())]
    if hashed:
        names = sorted(project.services) if hashed == "*" else sorted(hashed.split(","))
        for name in names:
            if name not in project.services:
                raise NotFound(f"no such service: {name}: not found")
        return [[f"{name} {service_hash(project.service(name))}" for name in names]]
    if profiles:
        every = project.all_services.values()
        return [sorted({profile for each in every for profile in each.get("profiles", [])})]
    if images:
        found = project.services.values()
        return [[each.image_name(project.name, separator) for each in found]]
    if environment:
        return [[f"{name}={value}" for name, value in sorted(project.environment.items())]]
    return []


def _dependencies_first(project: Project) -> list[str]:
    from knarr.compose.ordering import in_dependency_order

    return [service.name for service in in_dependency_order(project)]


def _variables(tree: dict[str, Any], form: Form | None) -> str:
    """A table, or the document that Compose has for each form."""
    found = {each.name: each for each in variables_in(tree)}
    if form is Form.JSON:
        return as_json({name: _variable(found[name]) for name in sorted(found)}) + "\n"
    if form is Form.YAML:
        shown = {name: _variable(found[name]) for name in sorted(found)}
        return as_yaml(
            {k: {key.lower(): v for key, v in each.items()} for k, each in shown.items()}
        )
    lines = ["NAME\tREQUIRED\tDEFAULT VALUE\tALTERNATE VALUE"]
    lines += (
        f"{each.name}\t{str(each.required).lower()}\t{each.default}\t{each.alternative}"
        for _, each in sorted(found.items())
    )
    return aligned(lines, narrowest=20, gap=3)


def _variable(each: Variable) -> dict[str, Any]:
    return {
        "Name": each.name,
        "DefaultValue": each.default,
        "PresenceValue": each.alternative,
        "Required": each.required,
    }


def _images_of(tree: dict[str, Any]) -> dict[str, Any]:
    services = {
        name: {"image": each["image"]} if "image" in each else {}
        for name, each in tree["services"].items()
    }
    return {"services": services}


def _images_only(project: Project) -> Project:
    services = {
        name: Service(name=name, values={"image": each.get("image")})
        for name, each in project.services.items()
    }
    return Project(name="", directory=project.directory, services=services)
