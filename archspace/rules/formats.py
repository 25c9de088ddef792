"""Findings in the words of other programs: SARIF 2.1.0, and the annotation lines that GitHub Actions reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archspace.files import read_text
from archspace.rules.finding import Finding
from archspace.rules.linter import Lint
from archspace.rules.table import GROUPS, RULES

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
SARIF_LEVELS = {"info": "note", "warning": "warning", "error": "error"}
GITHUB_COMMANDS = {"info": "notice", "warning": "warning", "error": "error"}
_NODE_LINE = re.compile(r'\s*\{?\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True, slots=True)
class Source:
    """The file that a network was read from, and the line that each node begins on."""

    path: str
    lines: Mapping[str, int]

    @classmethod
    def read(cls, path: str) -> Source:
        """Find the nodes in a graph's JSON; a file that names a family has none. Raises FileError."""
        lines: dict[str, int] = {}
        for number, line in enumerate(read_text(path).split("\n"), start=1):
            if match := _NODE_LINE.match(line):
                lines.setdefault(json.loads(match[1]), number)
        return cls(path, lines)


def sarif(lint: Lint, version: str, source: Source | None = None) -> dict[str, Any]:
    """The findings as a SARIF log of one run, the costliest first. `version` is this program's."""
    places = {code: index for index, code in enumerate(lint.codes)}
    driver = {"name": "archspace", "version": version, "rules": [_descriptor(code) for code in lint.codes]}
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "results": [_result(finding, places[finding.code], source) for finding in lint.findings],
        "properties": {"model": lint.graph.name, "device": lint.device, "mem_elems": lint.mem_elems},
    }
    if lint.opaque:
        notes = [{"level": "note", "message": {"text": around(lint)}}]
        run["invocations"] = [{"executionSuccessful": True, "toolExecutionNotifications": notes}]
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def github_lines(lint: Lint, source: Source | None = None) -> list[str]:
    """The findings as workflow commands, one line each, the costliest first."""
    lines = []
    for finding in lint.findings:
        place = _file_properties(source, finding.node)
        title = f"{finding.code} {RULES[finding.code].name}"
        lines.append(_command(GITHUB_COMMANDS[finding.severity], {**place, "title": title}, said(finding)))
    if lint.opaque:
        lines.append(_command("notice", {"title": "archspace"}, around(lint)))
    return lines


def said(finding: Finding) -> str:
    """A finding in one sentence: where, what and what to do instead."""
    return f"{finding.node}: {finding.message}. Instead: {finding.instead}"


def around(lint: Lint) -> str:
    """That ops of unknown work were left out."""
    ops = "1 op" if len(lint.opaque) == 1 else f"{len(lint.opaque)} ops"
    return f"linted around {ops} of unknown work: {', '.join(lint.opaque)}"


def _descriptor(code: str) -> dict[str, Any]:
    rule = RULES[code]
    return {
        "id": code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "help": {"text": rule.page},
        "defaultConfiguration": {"level": SARIF_LEVELS[rule.severity]},
        "properties": {"tags": [GROUPS[code[:2]]]},
    }


def _result(finding: Finding, index: int, source: Source | None) -> dict[str, Any]:
    location: dict[str, Any] = {"logicalLocations": [{"name": finding.node.rpartition(".")[2], "fullyQualifiedName": finding.node}]}
    if source is not None:
        location["physicalLocation"] = {"artifactLocation": {"uri": _uri(source.path)}}
        if finding.node in source.lines:
            location["physicalLocation"]["region"] = {"startLine": source.lines[finding.node]}
    properties: dict[str, Any] = {
        "block": finding.block,
        "measured": finding.measured,
        "bound": finding.bound,
        "excess_mem_elems": finding.excess_mem_elems,
        "instead": finding.instead,
    }
    if finding.excess_ms is not None:
        properties["excess_ms"] = finding.excess_ms
    return {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": SARIF_LEVELS[finding.severity],
        "message": {"text": said(finding)},
        "locations": [location],
        "properties": properties,
    }


def _uri(path: str) -> str:
    from urllib.parse import quote  # takes a while to load, and only files need it

    place = Path(path)
    return place.as_uri() if place.is_absolute() else quote(place.as_posix())


def _file_properties(source: Source | None, node: str) -> dict[str, str]:
    if source is None:
        return {}
    line = source.lines.get(node)
    return {"file": source.path} | ({"line": str(line)} if line else {})


def _command(command: str, properties: Mapping[str, str], message: str) -> str:
    """`::warning title=...::message`, escaped as the runner's own toolkit does."""
    text = ",".join(f"{key}={_escaped(value).replace(':', '%3A').replace(',', '%2C')}" for key, value in properties.items())
    return f"::{command} {text}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
