"""MODEL on the command line: a zoo name, a spec (`shufflenet_v1@g=8,width=0.5`), a JSON or ONNX file, or Python (`net.py:Net`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from archspace.analysis.opaque import check_known
from archspace.cli.onnx_models import is_onnx, load_onnx
from archspace.cli.python_models import is_python, load_pt2, load_python
from archspace.cli.request import Request
from archspace.errors import FileError, LawError, UnknownNameError
from archspace.files import read_json, what_is_at
from archspace.ir.graph import Graph
from archspace.ir.resize import with_input
from archspace.ir.serde import from_dict
from archspace.units import parse_size
from archspace.zoo import ZOO, build, resolve
from archspace.zoo.config import FLAG_WORDS, is_flag, option_names, parse_option

WEIGHTS = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt", ".safetensors")
NOTHING_ASKED = Request()

# A verb with these settings hands on options that it does not know: they belong to the model's family.
FAMILY_OPTIONS = {"ignore_unknown_options": True, "allow_interspersed_args": True}


def split_words(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Separate MODEL names from `--option value` words that the verb left over. Flags (`--arch2`, `--no-shuffle`) get 'yes' or 'no'."""
    names: list[str] = []
    options: dict[str, str] = {}
    rest = list(words)
    family = next((kind for kind in map(_family_of, words) if kind), None)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            names.append(word)
            continue
        name, has_value, value = word.lstrip("-").partition("=")
        name = name.replace("-", "_")
        if has_value:
            options[name] = value
        elif family and is_flag(ZOO[family].config, name):
            options[name] = rest.pop(0) if rest and rest[0].lower() in FLAG_WORDS else "yes"
        elif family and name.startswith("no_") and is_flag(ZOO[family].config, name[3:]):
            options[name[3:]] = "no"
        elif rest:
            options[name] = rest.pop(0)
        else:
            _check_option_name(family, name)
            raise LawError(f"the option --{name} needs a value, but none follows. Example: --{name} 2")
    return names, options


def parse_spec(spec: str) -> tuple[str, dict[str, str]]:
    """A name and its options: 'shufflenet_v1@g=8,repeats=4,8,4' -> ('shufflenet_v1', {'g': '8', 'repeats': '4,8,4'}). Raises LawError."""
    name, _, tail = spec.partition("@")
    options: dict[str, str] = {}
    key = ""
    for part in tail.split(",") if tail else []:
        if "=" in part:
            key, _, value = part.partition("=")
            options[key.strip()] = value
        elif key:
            options[key.strip()] += f",{part}"  # a further value of a per-stage option
        else:
            raise LawError(f"a spec is NAME@option=value,option=value, but got {spec!r}. Example: shufflenet_v1@g=8,width=0.5")
    return name, options


def load_model(spec: str, options: Mapping[str, str] | None = None, request: Request = NOTHING_ASKED) -> Graph:
    """The graph behind one MODEL. Raises UnknownNameError, LawError or FileError."""
    name, spec_options = parse_spec(spec)
    for key in spec_options.keys() & (options or {}).keys():
        raise LawError(f"{name}: the option {key} is given twice, in the spec and beside it. Drop one.")
    words = {**spec_options, **(options or {})}
    if is_python(name):
        return load_python(name, words, request)
    if name.endswith((".onnx", ".pt2", ".json", *WEIGHTS)) or what_is_at(name) == "file":
        return _load_file(name, words, request)
    request.refuse_for(name, "a zoo network")
    size, batch = request.size, request.batch
    try:
        family, values = resolve(name)
    except UnknownNameError:
        if name and what_is_at(name) == "folder":
            raise FileError(f"{name}: a MODEL is a zoo name or a JSON file, but this is a folder. Name a graph.json in it.") from None
        raise
    kind = ZOO[family].config
    given: dict[str, Any] = {}
    for key, text in words.items():
        _check_option_name(family, key)
        field = option_names(kind)[key.replace("-", "_")]
        if field in given:
            raise LawError(f"{family}: {field} is given twice, once as {key}. Drop one.")
        given[field] = parse_option(family, kind, key, text)
    values |= given
    if size is not None:
        values["input"] = parse_size(size)
    if batch is not None:
        values["batch"] = batch
    return build(family, **values)


def _load_file(path: str, words: Mapping[str, str], request: Request) -> Graph:
    if words:
        raise LawError(f"{path}: a stored network takes no options, but got {', '.join(words)}. Give them to what it was made from.")
    request.refuse_for(path, "a stored network")
    if path.endswith(WEIGHTS):
        law = "a file of weights is no network, and a pickle is never loaded"
        raise FileError(f"{path}: {law}. Name the module's code (net.py:Net), a .pt2 or .onnx file, or a graph.json.")
    if is_onnx(path):
        return load_onnx(path, size=request.size, batch=request.batch, strict=request.strict)
    graph = load_pt2(path, request) if path.endswith(".pt2") else _load_json(path)
    return _resized(path, check_known(graph, strict=True) if request.strict else graph, request.size, request.batch)


def _load_json(path: str) -> Graph:
    """A graph, or the config of a zoo network."""
    data = read_json(path)
    if isinstance(data, dict) and "family" in data and "archspace_graph" not in data:
        is_verified = "archspace_verified" in data  # then what is known of it stands beside its options
        options = data.get("options", {}) if is_verified else {key: value for key, value in data.items() if key != "family"}
        if not isinstance(data["family"], str):
            raise FileError(f"{path}: family must be a name, but got {data['family']!r}")
        if not isinstance(options, dict):
            raise FileError(f"{path}: options must be a table, but got {options!r}")
        try:
            return build(data["family"], **options)
        except (LawError, UnknownNameError) as error:
            raise FileError(f"{path}: {error}") from None
    return from_dict(data, path)


def _resized(path: str, graph: Graph, size: str | None, batch: int | None) -> Graph:
    """A stored graph on the input that was asked for."""
    shape = graph.input_shape
    if size is not None:
        if len(shape) != 4:
            raise LawError(f"{path}: --input sets an image's height and width, but the graph's input has shape {shape}")
        shape = (*shape[:2], *parse_size(size))
    if batch is not None:
        if not shape:
            raise LawError(f"{path}: --batch sets the first axis of the input, but the graph's input is a scalar")
        shape = (batch, *shape[1:])
    return graph if shape == graph.input_shape else with_input(graph, shape)


def _family_of(word: str) -> str | None:
    try:
        return resolve(word.partition("@")[0])[0]
    except UnknownNameError:
        return None


def _check_option_name(family: str | None, name: str) -> None:
    """Raise UnknownNameError for an option that the family does not have, with near names of its own and of the verb's."""
    ctx = click.get_current_context(silent=True)
    of_verb = {opt.lstrip("-") for param in ctx.command.params for opt in param.opts if opt.startswith("--")} if ctx else set()
    of_family = set(option_names(ZOO[family].config)) if family else set()
    if name.replace("-", "_") not in of_family:
        raise UnknownNameError(f"option of {family}" if family else "option", name, sorted(of_family or of_verb), also=of_verb)
