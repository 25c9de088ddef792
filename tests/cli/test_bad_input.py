"""Bad input: each gets exit code 2, one line on stderr that says what is wrong and the way out, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspace import build, save

Archspace = Callable[..., Any]
V1 = 'family = "shufflenet_v1"\n[objectives]\nmaximize = ["stage_channels"]\n'
WIDTH = "[parameters.width]\nlow = 0.25\nhigh = 2.0\n"

# What lies in the folder that the commands run in.
FILES: dict[str, bytes] = {
    "good.toml": (V1 + WIDTH).encode(),
    "typo.toml": (V1 + "[parameters.width]\nlow = 0.25\nhihg = 2.0\n").encode(),
    "toptypo.toml": (V1.replace("family", "familly") + WIDTH).encode(),
    "empty.toml": b"",
    "nochoice.toml": (V1 + "[parameters.groups]\nchoices = []\n").encode(),
    "lowhigh.toml": (V1 + "[parameters.width]\nlow = 2.0\nhigh = 0.25\n").encode(),
    "mixed.toml": (V1 + '[parameters.groups]\nchoices = [1, "two", 3.0]\n').encode(),
    "tables.toml": (V1 + "[parameters.groups]\nchoices = [{ a = 1 }]\n").encode(),
    "nested.toml": (V1 + "[parameters.groups]\nchoices = [[[1]], [[2]]]\n").encode(),
    "nanstep.toml": (V1 + WIDTH + "step = nan\n").encode(),
    "infstep.toml": (V1 + WIDTH + "step = inf\n").encode(),
    "huge.toml": (V1 + "[parameters.width]\nlow = 0.25\nhigh = 1e308\n").encode(),
    "stages.toml": (V1 + "[parameters.repeats]\neach = [{ low = 1, high = 2 }, { low = 1, high = 2 }]\n").encode(),
    "constants.toml": ("constants = 3\n" + V1 + WIDTH).encode(),
    "metric.toml": (V1.replace("stage_channels", "stage_chanels") + WIDTH).encode(),
    "metricnumber.toml": (V1.replace('"stage_channels"', "3") + WIDTH).encode(),
    "bothways.toml": (V1 + 'minimize = ["stage_channels"]\n' + WIDTH).encode(),
    "nowidth.toml": (V1 + "[parameters.groups]\nchoices = [1, 2]\n").encode(),
    "broken.toml": b'family = "shufflenet_v1\n',
    "latin.toml": b'family = "caf\xe9"\n',
    "binary.toml": bytes(range(256)),
    "deep.toml": b"x = " + b"[" * 5000 + b"]" * 5000,
    "corrupt.json": b'{"archspace_graph": 1, "name":',
    "empty.json": b"",
    "foreign.json": b'{"menu": ["soup"]}',
    "list.json": b"[1, 2, 3]",
    "null.json": b"null",
    "deep.json": b"[" * 100_000 + b"]" * 100_000,
    "latin.json": b'{"family": "caf\xe9"}',
    "nan.json": b'{"family": "shufflenet_v1", "width": NaN}',
    "infinite.json": b'{"family": "shufflenet_v1", "width": Infinity}',
    "toolong.json": b'{"family": "shufflenet_v1", "num_classes": ' + b"9" * 5000 + b"}",
    "option.json": b'{"family": "shufflenet_v1", "wdth": 0.5}',
    "family.json": b'{"family": 3}',
    "unknownfamily.json": b'{"family": "shuflenet_v1"}',
    "version.json": b'{"archspace_graph": 99, "name": "x", "config": {}, "outputs": [], "nodes": []}',
    "nodes.json": b'{"archspace_graph": 1, "name": "x", "config": {}, "outputs": [], "nodes": 3}',
    "noinput.json": b'{"archspace_graph": 1, "name": "x", "config": {}, "outputs": [], "nodes": []}',
    "device.json": b'{"archspace_profile": 1}',
    "taken.txt": b"mine",
    "foreign/notes.txt": b"mine",
    "corruptstudy/study.json": b"{",
    "otherstudy/study.json": b'{"study": "of birds"}',
    "notes.db": b"no database\n" * 200,
}


@pytest.fixture
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "folder").mkdir()
    save(build("shufflenet_v1", repeats=(1, 1, 1)), tmp_path / "graph.json")
    monkeypatch.chdir(tmp_path)


def an(*words: str) -> tuple[str, ...]:
    return ("analyze", *words)


def v1(*words: str) -> tuple[str, ...]:
    return ("analyze", "shufflenet_v1", *words)


def se(*words: str) -> tuple[str, ...]:
    return ("search", *words, "-o", "out", "--trials", "3", "--sampler", "random")


def go(*words: str) -> tuple[str, ...]:
    return ("search", "good.toml", "-o", "out", *words)


LONG = "9" * 5000
SIZE_LAW = "an input size is SIDE or HEIGHTxWIDTH in pixels"

# words -> what the one line must say
BAD: list[tuple[tuple[str, ...], list[str]]] = [
    # verbs and options
    (("analize", "resnet50"), ["unknown verb 'analize'", "Did you mean 'analyze'?"]),
    (("",), ["unknown verb ''", "analyze"]),
    (("--versoin",), ["No such option '--versoin'", "archspace --help"]),
    (an(), ["analyze takes one MODEL, but got 0"]),
    (an("--foo"), ["unknown option 'foo'"]),
    (v1("shufflenet_v2"), ["analyze takes one MODEL, but got 2", "archspace compare"]),
    (v1("--formt", "json"), ["unknown option of shufflenet_v1 'formt'", "Did you mean 'format'?"]),
    (v1("--format", "xml"), ["--format", "'xml'", "'table', 'json', 'csv'"]),
    (v1("--per", "ops"), ["--per", "'ops'", "'op', 'block', 'stage'"]),
    (v1("--dtype", "float3"), ["--dtype", "'float3'", "'float16'"]),
    (v1("--convention", "ptflop"), ["unknown convention 'ptflop'", "Did you mean 'ptflops'?"]),
    (v1("--convention", ""), ["unknown convention ''", "fvcore"]),
    (v1("--device", "gtx1080"), ["unknown device 'gtx1080'", "Did you mean 'gtx1080ti'?"]),
    (v1("--device", ""), ["unknown device ''", "gtx1080ti, i7_12700h"]),
    (v1("--device", "none.json"), ["none.json: cannot be read"]),
    (v1("--device", "device.json"), ["device.json", "the key 'device' is missing"]),
    (v1("--device", "foreign.json"), ["foreign.json", "archspace_profile"]),
    # models
    (an("shuflenet_v1"), ["unknown network 'shuflenet_v1'", "Did you mean 'shufflenet_v1'?"]),
    (an(""), ["unknown network ''", "Known: shufflenet_v1"]),
    (an("@"), ["unknown network ''", "Known: shufflenet_v1"]),
    (an("-"), ["unknown network '-'"]),
    (an("\N{COLLISION SYMBOL}"), ["unknown network '\N{COLLISION SYMBOL}'"]),
    (an("two\nlines"), ["unknown network 'two\\nlines'"]),
    (an("\udce9"), ["unknown network"]),
    (an("x" * 5000), ["unknown network"]),
    (an("x" * 300 + ".json"), ["cannot be read", "name too long"]),
    (an("folder"), ["folder: a MODEL is a zoo name or a JSON file, but this is a folder"]),
    (an("shufflenet_v1@@"), ["NAME@option=value", "'shufflenet_v1@@'"]),
    (an("shufflenet_v1@8"), ["NAME@option=value", "'shufflenet_v1@8'"]),
    (an("shufflenet_v1@g="), ["groups must be a whole number", "''"]),
    (an("shufflenet_v1@gruops=3"), ["unknown option of shufflenet_v1 'gruops'", "Did you mean 'groups'?"]),
    # options of a family
    (v1("--wdth", "0.5"), ["unknown option of shufflenet_v1 'wdth'", "Did you mean 'width'?"]),
    (v1("--g"), ["--g needs a value", "--g 2"]),
    (v1("--g", ""), ["groups must be a whole number", "''"]),
    (v1("--g", "three"), ["groups must be a whole number", "'three'"]),
    (v1("--g", "8\n9"), ["groups must be a whole number"]),
    (v1("--g", "5"), ["shufflenet_v1", "groups 1, 2, 3, 4, 8, but got groups=5", "Give stage_channels"]),
    (v1("--g", "0"), ["groups must be at least 1, but got 0"]),
    (v1("--g", "-3"), ["groups must be at least 1, but got -3"]),
    (v1("--g", "3,3"), ["groups must have one value or 3, but got 2"]),
    (
        v1("--g", "3", "--stage-channels", "100,200,400"),
        ["groups must divide the channels that a unit computes", "groups=3", "100 - 24 = 76", "99, 102"],
    ),
    (v1("--stage-channels", "12,12,12"), ["more channels than its input", "got 12 after 24"]),
    (v1("--width", "0"), ["width must be above 0, but got 0"]),
    (v1("--width", "-1"), ["width must be above 0, but got -1"]),
    (v1("--width", "nan"), ["width must be a number, but got nan"]),
    (v1("--width", "-inf"), ["width must be a number, but got -inf"]),
    (v1("--width", "1e309"), ["width must be a number, but got inf"]),
    (v1("--width", "1e-320"), ["shufflenet_v1", "channels"]),
    (v1("--width", "1e300"), ["width"]),
    *[(an(name, "--width", "1e308"), [name, "width"]) for name in ("mobilenet_v1", "mobilenet_v2", "shufflenet_v2", "resnet", "fenet")],
    (v1("--num-classes", "9" * 400), ["shufflenet_v1", "num_classes"]),
    (v1("--num-classes", LONG), ["shufflenet_v1", "num_classes"]),
    (v1("--repeats", "4,8"), ["repeats must have one value or 3, but got 2"]),
    (v1("--repeats", "4,8,"), ["repeats must be whole numbers with commas (4,8,4)", "'4,8,'"]),
    (v1("--repeats", "0,8,4"), ["repeats must be at least 1, but got 0"]),
    (v1("--shuffle=maybe"), ["shuffle must be yes or no, but got 'maybe'"]),
    (v1("--no-width"), ["unknown option of shufflenet_v1 'no_width'"]),
    (v1("--arch2", "--shallow"), ["at most one of arch2 and shallow"]),
    (an("fenet", "--shift", "spars"), ["shift", "'spars'", "Did you mean 'sparse'?"]),
    (an("fenet", "--shift-sparsity", "1.5"), ["shift_sparsity must be at most 1, but got 1.5"]),
    (an("fenet", "--width", "0.1"), ["stage", "channels", "larger width"]),
    (an("shufflenet_v2", "--stage-channels", "117,232,464"), ["must be even", "117", "116, 118"]),
    (an("shufflenet_v2", "--split-ratio", "1.0"), ["split_ratio=1"]),
    (an("resnet", "--depth", "49"), ["depth must be one of 18, 34, 50, 101, 152, but got 49"]),
    # what would count for hours
    (v1("--repeats", "1000000,1,1"), ["repeats must be at most"]),
    (v1("--batch", "99999999999"), ["batch must be at most"]),
    (v1("--num-classes", "1000000000000"), ["num_classes must be at most"]),
    # input and batch
    (v1("--input", "16"), ["at least the network's stride of 32 pixels, but got 16", "Smallest input: 32"]),
    (v1("--input", "224x16"), ["stride of 32 pixels, but got 224x16"]),
    *[(v1("--input", size), [SIZE_LAW, "224, 480x640"]) for size in ("0", "-5", "", "224x", "1x2x3", "２２４", "22.4", "224X 224")],
    (v1("--input", LONG), [SIZE_LAW]),
    (v1("--batch", "0"), ["--batch", "0 is not in the range x>=1"]),
    (v1("--batch", "-3"), ["--batch", "-3"]),
    (v1("--batch", "1e3"), ["--batch", "'1e3'"]),
    (v1("--batch", LONG), ["--batch"]),
    (an("graph.json", "--input", "16x"), [SIZE_LAW, "'16x'"]),
    (an("graph.json", "--g", "8"), ["graph.json: a stored network takes no options, but got g"]),
    # files that are no networks
    (an("none.json"), ["none.json: cannot be read: No such file"]),
    (an("corrupt.json"), ["corrupt.json: must be JSON, but is not"]),
    (an("empty.json"), ["empty.json: must be JSON, but is not"]),
    (an("foreign.json"), ["foreign.json: a graph is a JSON object with the key 'archspace_graph'"]),
    (an("list.json"), ["list.json: a graph is a JSON object"]),
    (an("null.json"), ["null.json: a graph is a JSON object"]),
    (an("deep.json"), ["deep.json: must be JSON, but is not"]),
    (an("latin.json"), ["latin.json: a text file must be UTF-8, but byte 15 is not"]),
    (an("nan.json"), ["nan.json", "width must be a number, but got nan"]),
    (an("infinite.json"), ["infinite.json", "width must be a number, but got inf"]),
    (an("toolong.json"), ["toolong.json"]),
    (an("option.json"), ["option.json", "unknown option of shufflenet_v1 'wdth'", "Did you mean 'width'?"]),
    (an("family.json"), ["family.json: family must be a name, but got 3"]),
    (an("unknownfamily.json"), ["unknownfamily.json", "'shuflenet_v1'", "Did you mean 'shufflenet_v1'?"]),
    (an("version.json"), ["version.json: this archspace reads graph version 1, but the file says 99"]),
    (an("nodes.json"), ["nodes.json", "nodes", "3"]),
    (an("noinput.json"), ["noinput.json"]),
    (an("good.toml"), ["good.toml: must be JSON, but is not"]),
    # outputs
    (v1("-o", "taken.txt"), ["taken.txt: exists already", "--force"]),
    (v1("-o", "folder"), ["folder: an output file was asked for, but this is a folder"]),
    (v1("-o", "nowhere/out.txt"), ["nowhere/out.txt: its folder nowhere must exist"]),
    (v1("-o", "taken.txt/out.txt"), ["taken.txt"]),
    (v1("-o", ""), ["an output file was asked for"]),
    (v1("-o", "x" * 300), ["name too long"]),
    (("zoo", "-o", "taken.txt"), ["taken.txt: exists already", "--force"]),
    (("compare", "fenet", "resnet18", "-o", "taken.txt"), ["taken.txt: exists already", "--force"]),
    (("build", "fenet", "-o", "taken.txt"), ["taken.txt: a built module is saved as a .pt2 file", "taken.pt2"]),
    (("build", "fenet", "-o", "nowhere/model.pt2"), ["nowhere/model.pt2: its folder nowhere must exist"]),
    (("build", "fenet", "-o", "x" * 300 + ".pt2"), ["name too long"]),
    # zoo, compare, build
    (("zoo", "shuflenet"), ["unknown network 'shuflenet'", "Did you mean"]),
    (("zoo", "fenet", "resnet"), ["extra argument", "resnet", "archspace zoo --help"]),
    (("compare",), ["compare takes at least two MODELs, but got 0"]),
    (("compare", "fenet"), ["compare takes at least two MODELs, but got 1", "archspace analyze"]),
    (("compare", "fenet", "fennet"), ["unknown network 'fennet'", "Did you mean 'fenet'?"]),
    (("compare", "fenet", "resnet18", "--width", "2"), ["options in its spec, but got --width", "shufflenet_v1@g=3"]),
    (("compare", "fenet", "shufflenet_v1@g=5"), ["groups 1, 2, 3, 4, 8, but got groups=5"]),
    (("build",), ["build takes one MODEL, but got 0"]),
    (("build", "fenet"), ["build has nothing to do", "-o", "--check"]),
    (("build", "fennet", "--check"), ["unknown network 'fennet'"]),
    (("build", "foreign.json", "--check"), ["foreign.json: a graph is a JSON object"]),
    (("build", "fenet", "--width", "0", "-o", "model.pt2"), ["width must be above 0"]),
    (("build", "fenet", "--check", "--seed", "x"), ["--seed", "'x'"]),
    # spaces
    (("search",), ["Missing argument 'SPACE.toml'", "archspace search --help"]),
    (se("none.toml"), ["none.toml: cannot be read: No such file"]),
    (se("folder"), ["folder: cannot be read: Is a directory"]),
    (se("empty.toml"), ["empty.toml: family must name a family"]),
    (se("typo.toml"), ["typo.toml", "parameters.width", "'hihg'", "Did you mean 'high'?"]),
    (se("toptypo.toml"), ["toptypo.toml", "'familly'", "Did you mean 'family'?"]),
    (se("nochoice.toml"), ["nochoice.toml:5: parameters.groups: choices must list at least one value"]),
    (se("lowhigh.toml"), ["lowhigh.toml:5: parameters.width: low must not exceed high", "low=2.0, high=0.25"]),
    (se("mixed.toml"), ["mixed.toml", "groups must be a whole number", "'two'"]),
    (se("tables.toml"), ["tables.toml", "parameters.groups"]),
    (se("nested.toml"), ["nested.toml", "parameters.groups"]),
    (se("nanstep.toml"), ["nanstep.toml", "parameters.width", "step", "nan"]),
    (se("infstep.toml"), ["infstep.toml", "parameters.width", "step", "inf"]),
    (se("huge.toml"), ["huge.toml", "width"]),
    (se("stages.toml"), ["stages.toml", "repeats", "3", "2"]),
    (se("constants.toml"), ["constants.toml", "constants", "3"]),
    (se("metric.toml"), ["metric.toml", "'stage_chanels'", "Did you mean 'stage_channels'?"]),
    (se("metricnumber.toml"), ["metricnumber.toml", "objectives", "3"]),
    (se("bothways.toml"), ["bothways.toml", "stage_channels"]),
    (se("broken.toml"), ["broken.toml:1: not TOML"]),
    (se("latin.toml"), ["latin.toml: a text file must be UTF-8, but byte 13 is not"]),
    (se("binary.toml"), ["binary.toml: a text file must be UTF-8"]),
    (se("deep.toml"), ["deep.toml: not TOML"]),
    # budgets, objectives and the rest of a question
    (go("--trials", "0"), ["--trials", "0 is not in the range x>=1"]),
    (go("--trials", "-1"), ["--trials", "-1"]),
    (go("--trials", "1e9"), ["--trials", "'1e9'"]),
    (go("--trials", ""), ["--trials", "''"]),
    (go("--seed", "1.5"), ["--seed", "'1.5'"]),
    (go("--sampler", "tep"), ["unknown sampler 'tep'", "Did you mean 'tpe'?"]),
    (go("--max-madds", "1K"), ["madds must be at most 1K, but the smallest value found in the space is", "width=0.25", "or more"]),
    (go("--max-params", "1"), ["params must be at most 1, but the smallest value found in the space is"]),
    *[(go("--max-madds", count), ["a count is a positive number", "140M"]) for count in ("", "x", "-5", "nan", "1.4.G", "140MB", "１M")],
    (go("--max-madds", "0"), ["a count must be", "'0'", "140M"]),
    (go("--max-madds", "1e309"), ["a count", "1e309"]),
    (go("--max-latency", "30ms"), ["latency needs a device, but none is given", "--device gtx1080ti"]),
    (go("--max-latency", "30 days", "--device", "sd810"), ["a time is a positive number", "'30 days'", "30ms"]),
    (go("--max-latency", "0", "--device", "sd810"), ["a time must be above zero", "'0'", "30ms"]),
    (go("--max-latency", "1e400s", "--device", "sd810"), ["a time", "1e400s"]),
    (go("--max-latency", "1us", "--device", "sd810"), ["latency_ms must be at most 0.001 ms, but the smallest value found", "ms ("]),
    (go("--device", "sd81"), ["unknown device 'sd81'", "Did you mean 'sd810'?"]),
    (go("--hold", "madds"), ["--hold takes METRIC=VALUE, but got 'madds'", "--hold madds=140M"]),
    (go("--hold", ""), ["--hold takes METRIC=VALUE"]),
    (go("--hold", "mads=140M"), ["unknown metric to hold 'mads'", "Did you mean 'madds'?"]),
    (go("--hold", "madds="), ["a count is a positive number"]),
    (go("--hold", "madds=1T"), ["madds must be held at 1T, but the largest value found in the space is", "or less"]),
    (go("--hold", "latency_ms=30ms"), ["latency needs a device"]),
    (
        ("search", "nowidth.toml", "-o", "out", "--hold", "madds=140M"),
        ["width must be a parameter with low and high", "[parameters.width]"],
    ),
    (go("--maximize", "parms"), ["unknown metric 'parms'", "Did you mean 'params'?"]),
    (go("--maximize", "latency_ms"), ["latency needs a device"]),
    (go("--maximize", "params", "--minimize", "params"), ["params", "maximize", "minimize"]),
    (go("--max-mads", "1M"), ["No such option '--max-mads'", "--max-madds"]),
    (go("--storage", ""), ["storage", "must be a URL like"]),
    (go("--storage", "trials.db"), ["storage trials.db: must be a URL like"]),
    (go("--storage", "foo://x"), ["storage foo://x: cannot be opened"]),
    (go("--storage", "sqlite:///nowhere/trials.db"), ["cannot be opened", "unable to open database file"]),
    (go("--storage", "sqlite:///notes.db"), ["sqlite:///notes.db: cannot be opened", "not a database"]),
    # study directories
    (("search", "good.toml", "-o", "foreign"), ["foreign: a study begins in an empty folder, but this one holds other files", "-o"]),
    (("search", "good.toml", "-o", "foreign", "--force"), ["foreign: a study begins in an empty folder"]),
    (("search", "good.toml", "-o", "taken.txt"), ["taken.txt: a study needs a folder, but this is a file"]),
    (("search", "good.toml", "-o", "taken.txt/x"), ["taken.txt"]),
    (("search", "good.toml", "-o", "corruptstudy"), ["corruptstudy/study.json: must be JSON, but is not"]),
    (("search", "good.toml", "-o", "otherstudy"), ["otherstudy: not a study that this archspace wrote"]),
    (("search", "good.toml", "-o", "/proc/nowhere/study"), ["/proc/nowhere", "cannot be made"]),
    (("search", "good.toml", "-o", "x" * 300), ["name too long"]),
]


def listing(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


@pytest.mark.usefixtures("_folder")
@pytest.mark.parametrize(("words", "pieces"), BAD, ids=[ascii(" ".join(words))[:90].replace("\\", "/") for words, _ in BAD])
def test_bad_input_is_one_line_and_nothing_is_written(
    words: tuple[str, ...], pieces: list[str], archspace: Archspace, tmp_path: Path
) -> None:
    before = listing(tmp_path)
    code, out, err = archspace(*words)
    assert (code, out) == (2, "")
    assert err.startswith("archspace: ")
    assert len(err.splitlines()) == 1
    assert [piece for piece in pieces if piece.casefold() not in err.casefold()] == []
    assert listing(tmp_path) == before


@pytest.mark.usefixtures("_folder")
@pytest.mark.parametrize(
    ("change", "part"),
    [
        (("--seed", "5"), "seed was 0 and now is 5"),
        (("--max-madds", "100M"), "bounds was {} and now is"),
        (("--sampler", "tpe"), "sampler was 'random'"),
    ],
)
def test_a_study_of_another_question_is_refused_and_stays_as_it_was(
    change: tuple[str, ...], part: str, archspace: Archspace, tmp_path: Path
) -> None:
    assert archspace(*se("good.toml")).code == 0
    before = listing(tmp_path)
    code, out, err = archspace(*se("good.toml"), *change)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith("archspace: out: a study goes on with the question that it began with")
    assert part in err
    assert "--force" in err
    assert listing(tmp_path) == before


@pytest.mark.usefixtures("_folder")
def test_a_study_directory_that_belongs_to_another_space_is_refused(archspace: Archspace, tmp_path: Path) -> None:
    assert archspace(*se("good.toml")).code == 0
    before = listing(tmp_path)
    code, out, err = archspace(*se("nowidth.toml"))
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "out: " in err
    assert "space" in err
    assert "'nowidth'" in err
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    "words", [v1("--batch", "1000000"), v1("--g", "3", "--g", "8"), v1("--input", "100000x32"), v1("--num-classes", "1000000")]
)
def test_huge_or_repeated_but_legal_values_are_counted(words: tuple[str, ...], archspace: Archspace) -> None:
    code, out, err = archspace(*words)
    assert (code, err) == (0, "")
    assert "multiply-adds" in out
