"""What tests of spaces share: the files that ship, and texts of small spaces."""

from __future__ import annotations

from pathlib import Path

from archspace.space import Space

SPACES = Path(__file__).parents[2] / "spaces"
SHIPPED = {
    "shufflenet_v1": "shufflenet_v1",
    "shufflenet_v2": "shufflenet_v2",
    "mobilenet_v2": "mobilenet_v2",
    "fenet": "fenet",
    "fenet_lambda": "fenet",
    "mixed": "mixed",
}  # file -> family

V1 = 'family = "shufflenet_v1"\n'
WIDTH = "[parameters.width]\nlow = 0.25\nhigh = 2.0\n"
GROUPS = "[parameters.groups]\nchoices = [1, 2, 4]\n"
STAGED = V1 + (
    "[constants]\nstage_channels = [240, 480, 960]\n"
    "[parameters.groups]\nchoices = [1, 2, 4]\nstages = 3\n"
    "[parameters.kernel_size]\nchoices = [5, 7]\nstages = 3\nwhen = { groups = [2, 4] }\n"
    "[parameters.shuffle]\nchoices = [true, false]\nwhen = { groups = [2, 4] }\n"
)


def space_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "space.toml"
    path.write_text(text, encoding="utf-8")
    return path


def load(tmp_path: Path, text: str) -> Space:
    return Space.load(space_file(tmp_path, text))
