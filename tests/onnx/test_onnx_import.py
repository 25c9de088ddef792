"""Import: shapes and their arithmetic, names, shared weights, what is unknown, and what is no such file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import archspace
from archspace.errors import FileError, LawError
from archspace.ir.ops import Conv2d, Linear, Opaque, Reshape
from archspace.ir.resize import with_input
from archspace.onnx import OpaqueWarning, from_onnx

Dims = tuple[int | str, ...]


def weight(name: str, *shape: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.ones(shape, np.float32), name)


def whole(name: str, *values: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def model_of(
    inputs: dict[str, Dims | None], nodes: list[onnx.NodeProto], outputs: list[str], weights: list[onnx.TensorProto], opset: int = 17
) -> onnx.ModelProto:
    flowing = [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in inputs.items()]
    said = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(nodes, "main_graph", flowing, said, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def saved(path: Path, model: onnx.ModelProto) -> Path:
    file = path / "net.onnx"
    file.write_bytes(model.SerializeToString())
    return file


def node(kind: str, inputs: str, output: str, name: str = "", **attrs: object) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), output.split(), name=name, **attrs)


def classifier(dims: Dims | None = ("n", 3, "h", "w")) -> onnx.ModelProto:
    """A convolution, a flattening to (n, -1) by shape arithmetic, a classifier of 4x4 images."""
    nodes = [
        node("Conv", "image conv.weight", "a", pads=[1, 1, 1, 1]),
        node("Shape", "a", "shape"),
        node("Gather", "shape zero", "n"),
        node("Unsqueeze", "n axis", "n1"),
        node("Concat", "n1 rest", "target", axis=0),
        node("Reshape", "a target", "b"),
        node("Gemm", "b fc.weight fc.bias", "y", transB=1),
    ]
    zero = numpy_helper.from_array(np.array(0, np.int64), "zero")
    weights = [
        weight("conv.weight", 8, 3, 3, 3),
        zero,
        whole("axis", 0),
        whole("rest", -1),
        weight("fc.weight", 10, 128),
        weight("fc.bias", 10),
    ]
    return model_of({"image": dims}, nodes, ["y"], weights)


def test_shape_arithmetic_is_followed_and_sizes_are_given_where_they_are_open(tmp_path: Path) -> None:
    graph = from_onnx(saved(tmp_path, classifier()), (2, 3, 4, 4), strict=True)
    assert graph.name == "net"
    assert [one.name for one in graph] == ["image", "conv", "flatten", "fc"]
    assert [type(one.op).__name__ for one in graph] == ["Input", "Conv2d", "Flatten", "Linear"]
    totals = archspace.analyze(graph).totals
    assert totals.madds == 2 * (16 * 8 * 27 + 1280)
    assert totals.params == 8 * 27 + 1280 + 10


@pytest.mark.parametrize(
    ("dims", "shapes", "message"),
    [
        (("n", 3, "h", "w"), [], "the input 'image' has the open shape n x 3 x h x w: give its sizes, as from_onnx"),
        (("n", 3, "h", "w"), [(2, 4, 4, 4)], "has the shape n x 3 x h x w in the file, but got 2x4x4x4"),
        (("n", 3, "h", "w"), [(2, 3, 4)], "has the shape n x 3 x h x w in the file, but got 2x3x4"),
        (("n", 3, "h", "w"), [(2, 3, 0, 4)], "a shape of whole numbers from 1 on"),
        (("n", 3, "h", "w"), [(2, 3, 4, 4), (1,)], "takes 1 inputs, but got 2 shapes"),
        (None, [], "the open shape of unknown rank"),
    ],
)
def test_shapes_that_are_missing_or_do_not_fit_are_told(
    dims: Dims | None, shapes: list[tuple[int, ...]], message: str, tmp_path: Path
) -> None:
    with pytest.raises(LawError, match=r"net\.onnx: ") as caught:
        from_onnx(saved(tmp_path, classifier(dims)), *shapes)
    assert message in str(caught.value)


def test_a_size_that_the_weights_pin_is_told_with_its_node(tmp_path: Path) -> None:
    with pytest.raises(LawError, match=r"net.onnx: y: Linear: in_features must equal .*in_features=128, input shape \(2, 200\)"):
        from_onnx(saved(tmp_path, classifier()), (2, 3, 5, 5))


def test_a_name_of_an_open_size_binds_it_for_later_inputs(tmp_path: Path) -> None:
    model = model_of({"x": ("n", 4), "y": ("n", 4)}, [node("Add", "x y", "z")], ["z"], [])
    graph = from_onnx(saved(tmp_path, model), (5, 4))
    assert [one.shape for one in graph.inputs] == [(5, 4), (5, 4)]


def test_a_graph_takes_another_resolution_where_nothing_pins_it(tmp_path: Path) -> None:
    nodes = [node("Conv", "x w", "a"), node("GlobalAveragePool", "a", "b"), node("Flatten", "b", "y")]
    graph = from_onnx(saved(tmp_path, model_of({"x": (1, 3, 8, 8)}, nodes, ["y"], [weight("w", 4, 3, 1, 1)])))
    larger = with_input(graph, (2, 3, 16, 16))
    assert archspace.analyze(larger).totals.madds == 8 * archspace.analyze(graph).totals.madds


def chain(*names: str, weights: tuple[str, ...] = ("w0", "w1", "w2")) -> onnx.ModelProto:
    """Three 1x1 convolutions with these node names and weights."""
    nodes = [node("Conv", f"t{i} {w}", f"t{i + 1}", name=name) for i, (name, w) in enumerate(zip(names, weights, strict=True))]
    return model_of({"t0": (1, 4, 2, 2)}, nodes, ["t3"], [weight(w, 4, 4, 1, 1) for w in dict.fromkeys(weights)])


@pytest.mark.parametrize(
    ("names", "weights", "expected"),
    [
        (("/stem/Conv", "/layer1/layer1.0/conv1/Conv", "/layer1/layer1.0/conv2/Conv"), None, ["stem", "layer1.0.conv1", "layer1.0.conv2"]),
        (("", "", ""), ("stem.weight", "layer1.0.conv1.weight", "layer1.0.conv2.weight"), ["stem", "layer1.0.conv1", "layer1.0.conv2"]),
        (("Conv_0", "Conv_1", "Conv_2"), None, ["conv2d", "conv2d_1", "conv2d_2"]),
        (("a/b/Conv", "a/b/Conv_1", "a b/\nc/Conv"), None, ["a.b.conv2d", "a.b.conv2d_1", "a_b._c"]),
    ],
)
def test_names_come_from_slashes_from_weights_or_from_ops(
    names: tuple[str, ...], weights: tuple[str, ...] | None, expected: list[str], tmp_path: Path
) -> None:
    model = chain(*names) if weights is None else chain(*names, weights=weights)
    graph = from_onnx(saved(tmp_path, model))
    assert [one.name for one in graph][1:] == expected


def test_blocks_are_the_members_of_a_numbered_stack(tmp_path: Path) -> None:
    names = [f"layer1.{i}.conv{k}.weight" for i in range(2) for k in (1, 2)]
    nodes = [node("Conv", f"t{i} {name}", f"t{i + 1}") for i, name in enumerate(names)]
    graph = from_onnx(saved(tmp_path, model_of({"t0": (1, 4, 2, 2)}, nodes, ["t4"], [weight(name, 4, 4, 1, 1) for name in names])))
    assert [one.block for one in graph][1:] == ["layer1.0", "layer1.0", "layer1.1", "layer1.1"]


def test_weights_that_several_nodes_use_are_counted_once(tmp_path: Path) -> None:
    graph = from_onnx(saved(tmp_path, chain("", "", "", weights=("a.weight", "a.weight", "b.weight"))))
    assert archspace.analyze(graph).totals.params == 2 * 16
    assert archspace.analyze(graph).totals.madds == 3 * 4 * 16
    second = graph.nodes[2]
    assert (second.shares, second.params) == ("a", 0)


def test_a_tensor_of_weights_that_is_added_is_a_parameter_and_a_literal_is_not(tmp_path: Path) -> None:
    literal = numpy_helper.from_array(np.ones((4, 1), np.float32))
    nodes = [
        node("Constant", "", "literal", value=literal),
        node("Add", "x embedding", "a"),
        node("Add", "a literal", "b"),
        node("Add", "b embedding", "y"),
    ]
    graph = from_onnx(saved(tmp_path, model_of({"x": (1, 4, 5)}, nodes, ["y"], [weight("embedding", 4, 5)])))
    assert [one.name for one in graph] == ["x", "embedding", "add", "literal", "add_1", "add_2"]
    assert archspace.analyze(graph).totals.params == 20


def test_unknown_work_is_opaque_said_and_refused_when_strict(tmp_path: Path) -> None:
    nodes = [node("Relu", "x", "a"), node("Det", "a", "b"), node("Relu", "b", "y")]
    file = saved(tmp_path, model_of({"x": (2, 3, 4, 4)}, nodes, ["y"], []))
    with pytest.warns(OpaqueWarning, match=r"^net: 66.6 % of nodes known \(2 of 3\); .*: det \(Det\)"):
        graph = from_onnx(file)
    assert graph["det"].op == Opaque("Det", (2, 3))
    with pytest.raises(LawError, match=r"with strict every node must be known, but 66.6 % .*Import it without strict"):
        from_onnx(file, strict=True)


def test_an_operator_of_another_domain_is_opaque_with_the_shape_that_the_file_says(tmp_path: Path) -> None:
    nodes = [helper.make_node("Magic", ["x", "w"], ["a"], domain="acme"), node("Relu", "a", "y")]
    model = model_of({"x": (2, 3)}, nodes, ["y"], [weight("w", 5, 7)])
    model.opset_import.append(helper.make_opsetid("acme", 1))
    with pytest.raises(LawError, match="a: the shape of an output must follow from the inputs' shapes, but that of Magic does not"):
        from_onnx(saved(tmp_path, model))
    model.graph.value_info.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, (2, 5)))
    with pytest.warns(OpaqueWarning, match=r"magic \(acme.Magic\)"):
        graph = from_onnx(saved(tmp_path, model))
    assert archspace.analyze(graph).totals.params == 35


def test_an_output_whose_size_depends_on_values_is_told(tmp_path: Path) -> None:
    with pytest.raises(LawError, match=r"net.onnx: picky: .* that of NonZero does not. Cut the network"):
        from_onnx(saved(tmp_path, model_of({"x": (2, 3)}, [node("NonZero", "x", "y", name="picky")], ["y"], [])))


def test_a_branch_whose_condition_follows_from_shapes_is_taken(tmp_path: Path) -> None:
    def branch(kind: str) -> onnx.GraphProto:
        return helper.make_graph([node(kind, "x", kind)], kind, [], [helper.make_tensor_value_info(kind, TensorProto.FLOAT, None)])

    nodes = [
        node("Size", "x", "size"),
        node("Equal", "size six", "is_six"),
        node("If", "is_six", "y", then_branch=branch("Relu"), else_branch=branch("Tanh")),
    ]
    six = numpy_helper.from_array(np.array(6, np.int64), "six")
    file = saved(tmp_path, model_of({"x": ("n", 3)}, nodes, ["y"], [six]))
    assert [from_onnx(file, (n, 3)).nodes[-1].name for n in (2, 3)] == ["relu", "tanh"]


def test_functions_of_a_file_are_put_in_place_of_their_calls(tmp_path: Path) -> None:
    body = [node("Relu", "a", "b"), node("Tanh", "b", "c")]
    function = helper.make_function("mine", "Both", ["a"], ["c"], body, [helper.make_opsetid("", 17)])
    model = model_of({"x": (2, 3)}, [helper.make_node("Both", ["x"], ["y"], domain="mine")], ["y"], [])
    model.opset_import.append(helper.make_opsetid("mine", 1))
    model.functions.append(function)
    assert [one.name for one in from_onnx(saved(tmp_path, model))] == ["x", "relu", "tanh"]


def test_weights_in_other_files_are_never_looked_for(tmp_path: Path) -> None:
    model = chain("", "", "", weights=("a.weight", "b.weight", "c.weight"))
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="gone.bin")
    graph = from_onnx(saved(tmp_path, model))
    assert archspace.analyze(graph).totals.params == 48
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_a_wrong_output_shape_is_not_believed(tmp_path: Path) -> None:
    """Two rules that could read a node are not enough: the shape has to be what ONNX infers."""
    nodes = [node("Reshape", "x target", "y", allowzero=1)]
    graph = from_onnx(saved(tmp_path, model_of({"x": (6, 4)}, nodes, ["y"], [whole("target", 2, 12)])))
    assert (graph.nodes[-1].op, graph.nodes[-1].shape) == (Reshape((12,), folds_batch=True), (2, 12))


@pytest.mark.parametrize("opset", [13, 17, 18, 20, 21, 23])
def test_every_opset_from_13_to_23_is_read(opset: int, tmp_path: Path) -> None:
    nodes = [node("Conv", "x w", "a"), node("ReduceMean", "a", "b", axes=[2, 3], keepdims=0), node("MatMul", "b m", "y")]
    if opset > 17:
        nodes[1] = node("ReduceMean", "a axes", "b", keepdims=0)
    weights = [weight("w", 4, 3, 3, 3), weight("m", 4, 5), whole("axes", 2, 3)]
    graph = from_onnx(saved(tmp_path, model_of({"x": (1, 3, 8, 8)}, nodes, ["y"], weights, opset)), strict=True)
    assert [type(one.op) for one in graph if archspace.Graph.counts(graph, one).madds] == [Conv2d, Linear]


@pytest.mark.parametrize("opset", [12, 24])
def test_other_opsets_are_refused(opset: int, tmp_path: Path) -> None:
    model = model_of({"x": (1, 3)}, [node("Relu", "x", "y")], ["y"], [], opset)
    with pytest.raises(FileError, match=f"the opset must be 13 to 23, but is {opset}. Convert it with onnx.version_converter"):
        from_onnx(saved(tmp_path, model))


def test_foreign_truncated_and_damaged_files_are_told_in_one_line(tmp_path: Path) -> None:
    good = classifier().SerializeToString()
    contents = {
        "must be an ONNX file, but is foreign or truncated": [good[: len(good) // 2], b"\x89PNG\r\n\x1a\n rest", b'{"archspace_graph": 1}'],
        "must be an ONNX file with nodes and outputs": [b"", onnx.ModelProto(ir_version=8).SerializeToString()],
        "reads 'nothing', which nothing before it makes": [
            model_of({"x": (1, 3)}, [node("Add", "x nothing", "y")], ["y"], []).SerializeToString()
        ],
        "the output 'z' is made by no node": [model_of({"x": (1, 3)}, [node("Relu", "x", "y")], ["z"], []).SerializeToString()],
    }
    file = tmp_path / "net.onnx"
    for message, bodies in contents.items():
        for body in bodies:
            file.write_bytes(body)
            with pytest.raises(FileError) as caught:
                from_onnx(file)
            assert str(caught.value).startswith(f"{file}: ")
            assert message in str(caught.value)
            assert len(str(caught.value).splitlines()) == 1
    for path in (tmp_path / "missing.onnx", tmp_path):
        with pytest.raises(FileError, match="cannot be read"):
            from_onnx(path)


def test_an_operator_that_is_not_as_defined_is_told(tmp_path: Path) -> None:
    model = model_of({"x": (1, 3)}, [node("Relu", "x", "y", name="odd", strength=3)], ["y"], [])
    with pytest.raises(LawError, match="odd: must be a Relu as ONNX defines it, but is not: Unrecognized attribute: strength"):
        from_onnx(saved(tmp_path, model))


def test_a_network_without_inputs_or_of_constants_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LawError, match="must have an input"):
        from_onnx(saved(tmp_path, model_of({}, [node("Relu", "w", "y")], ["y"], [weight("w", 3)])))
    with pytest.raises(LawError, match="must return what comes from its inputs"):
        from_onnx(saved(tmp_path, model_of({"x": (1, 3)}, [node("Relu", "w", "y")], ["y"], [weight("w", 3)])))


def test_importing_needs_no_torch_and_writes_nothing(tmp_path: Path) -> None:
    saved(tmp_path, chain("", "", ""))
    code = """
import sys
sys.modules["torch"] = sys.modules["onnxruntime"] = sys.modules["onnxscript"] = None
import archspace
print(archspace.analyze(archspace.from_onnx("net.onnx")).totals.madds)
"""
    root = str(Path(archspace.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, env={"PYTHONPATH": root})
    assert done.stdout == f"{3 * 4 * 16}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
