"""Lowering: every op kind, names, and that the result can be read, scripted, exported, compiled, copied and stored."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from torch import Tensor, nn

from archspace.errors import LawError
from archspace.ir import Builder, Graph, ops
from archspace.pytorch import LOWERINGS, Network, to_module
from archspace.zoo import MEMBERS, build

# Families that between them use every op kind of the zoo, with one or two units per stage: all of their structure, few nodes.
FAMILIES = {
    "shufflenet_v1": {"width": 0.25, "repeats": (2, 2, 1)},
    "shufflenet_v2": {"width": 0.5, "repeats": (2, 2, 1)},
    "mobilenet_v1": {"width": 0.25, "repeats": (1, 1, 1, 2, 1)},
    "mobilenet_v2": {"width": 0.35, "repeats": (1, 2, 1, 1, 1, 1, 1)},
    "resnet": {"width": 0.125, "repeats": (1, 2, 1, 1)},
    "fenet": {"width": 0.25, "repeats": (2, 1, 1, 2, 1)},
    "fenet, learned": {"width": 0.25, "repeats": (2, 1, 1, 2, 1), "learned_shifts": True},
    "shiftnet": {"width": 0.5, "repeats": (1, 2, 1, 1)},
    "resnext": {"cardinality": 4, "group_width": 2, "width": 0.25, "repeats": (1, 2, 1, 1), "se_reduction": 4},
    "squeezenet": {"width": 0.25, "repeats": (1, 2, 1)},
}
IMAGES = torch.randn((3, 3, 32, 32), generator=torch.Generator().manual_seed(0))

# An op of every kind that can be built, with the shapes of its inputs.
IMAGE = (2, 18, 5, 7)
EXAMPLES: dict[type[ops.Op], tuple[ops.Op, tuple[tuple[int, ...], ...]]] = {
    ops.AdaptiveAvgPool2d: (ops.AdaptiveAvgPool2d((2, 3)), (IMAGE,)),
    ops.Add: (ops.Add(), (IMAGE, IMAGE)),
    ops.AvgPool2d: (ops.AvgPool2d(3, stride=2, padding=1, ceil_mode=True), (IMAGE,)),
    ops.BatchNorm2d: (ops.BatchNorm2d(18, eps=1e-3, momentum=0.2), (IMAGE,)),
    ops.ChannelGather: (ops.ChannelGather((3, 20, 0, 35)), (IMAGE, IMAGE)),
    ops.ChannelShuffle: (ops.ChannelShuffle(3), (IMAGE,)),
    ops.ChannelSlice: (ops.ChannelSlice(4, 9), (IMAGE,)),
    ops.Concat: (ops.Concat(dim=2), (IMAGE, (2, 18, 1, 7), IMAGE)),
    ops.Conv2d: (ops.Conv2d(18, 12, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=6, bias=True), (IMAGE,)),
    ops.Dropout: (ops.Dropout(0.3), (IMAGE,)),
    ops.FixedShift: (ops.FixedShift((1, 0, -2) * 6, (0, 0, 1) * 6, inplace=True), (IMAGE,)),
    ops.Flatten: (ops.Flatten(2), (IMAGE,)),
    ops.GELU: (ops.GELU(), (IMAGE,)),
    ops.GroupedShift: (ops.GroupedShift(18), (IMAGE,)),
    ops.Hardsigmoid: (ops.Hardsigmoid(), (IMAGE,)),
    ops.Hardswish: (ops.Hardswish(), (IMAGE,)),
    ops.Linear: (ops.Linear(7, 4), (IMAGE,)),
    ops.MaxPool2d: (ops.MaxPool2d((2, 3), stride=(2, 3), padding=(1, 0), ceil_mode=True), (IMAGE,)),
    ops.Multiply: (ops.Multiply(), (IMAGE, (2, 18, 1, 1))),
    ops.Pad: (ops.Pad((1, 2, 3, 4)), (IMAGE,)),
    ops.ReLU: (ops.ReLU(), (IMAGE,)),
    ops.ReLU6: (ops.ReLU6(), (IMAGE,)),
    ops.Reshape: (ops.Reshape((9, 2, 35)), (IMAGE,)),
    ops.SiLU: (ops.SiLU(), (IMAGE,)),
    ops.Sigmoid: (ops.Sigmoid(), (IMAGE,)),
    ops.Softmax: (ops.Softmax(1), (IMAGE,)),
    ops.SparseShift: (ops.SparseShift(18, 9, learned=True), (IMAGE,)),
}


def single_op(op: ops.Op, shapes: tuple[tuple[int, ...], ...]) -> Graph:
    b = Builder("single")
    inputs = [b.input(shape, f"x{i}") for i, shape in enumerate(shapes)]
    return b.build(b.add("op", op, *inputs))


def family_graph(key: str) -> Graph:
    return build(key.partition(",")[0], input=(32, 32), num_classes=7, **FAMILIES[key])


def trained_a_little(key: str) -> Network:
    """A module whose batch norm statistics are no longer those of the start, in eval mode."""
    module = to_module(family_graph(key), seed=0)
    with torch.no_grad():
        module(IMAGES)
    module.eval()
    return module


def test_the_table_has_one_row_per_op_kind() -> None:
    assert set(LOWERINGS) == set(ops.OPS.values())
    assert set(EXAMPLES) == {ops.OPS[name] for name in ops.KINDS} - {ops.Input, ops.Opaque, ops.Parameter}  # the others: test_lower_further


@pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
def test_every_op_kind_gives_the_shape_and_the_parameters_that_it_promises(kind: type[ops.Op]) -> None:
    op, shapes = EXAMPLES[kind]
    graph = single_op(op, shapes)
    module = to_module(graph, seed=0)
    for batch in (shapes[0][0], 5):
        out = module(*(torch.randn((batch, *shape[1:]), generator=torch.Generator().manual_seed(1)) for shape in shapes))
        assert tuple(out.shape) == (batch, *op.out_shape(*shapes)[1:])
    assert sum(p.numel() for p in module.parameters()) == op.counts(shapes, op.out_shape(*shapes)).params


def test_functions_compute_what_their_ops_say() -> None:
    x, y = IMAGES, IMAGES + 1

    def run(op: ops.Op, *inputs: Tensor) -> Tensor:
        result: Tensor = to_module(single_op(op, tuple(tuple(t.shape) for t in inputs)))(*inputs)
        return result

    assert torch.equal(run(ops.Add(), x, y), x + y)
    assert torch.equal(run(ops.Multiply(), x, y), x * y)
    assert torch.equal(run(ops.Concat(), x, y), torch.cat((x, y), 1))
    assert torch.equal(run(ops.ChannelSlice(1, 3), x), x[:, 1:3])
    assert torch.equal(run(ops.Flatten(), x), x.reshape(3, -1))
    assert torch.equal(run(ops.Reshape((32, 96)), x), x.reshape(3, 32, 96))
    assert torch.equal(run(ops.Pad((1, 0, 0, 2)), x), nn.functional.pad(x, (1, 0, 0, 2)))


def test_submodules_bear_the_nodes_names() -> None:
    module = to_module(build("shufflenet_v1", input=(64, 64)), seed=0)
    conv = module.stage2.unit0.pw1.conv
    assert isinstance(conv, nn.Conv2d)
    assert module.get_submodule("stage2.unit0.pw1.conv") is conv
    assert "stage2.unit0.pw1.conv.weight" in module.state_dict()
    assert next(iter(module.state_dict())) == "stem.conv1.conv.weight"  # in the graph's order


def test_the_code_reads_like_the_graph() -> None:
    code = to_module(build("shufflenet_v2", input=(64, 64)), seed=0).code
    assert "stem_conv1_conv = self.stem.conv1.conv(" in code
    assert "stage2_unit1_keep = torch.narrow(stage2_unit0_shuffle, 1, 0, 58)" in code
    assert "stage2_unit1_concat = torch.cat([stage2_unit1_keep, stage2_unit1_branch_pw2_act], dim = 1)" in code
    assert "head_flatten = torch.flatten(head_pool, 1)" in code


def test_an_opaque_node_is_refused_with_its_place_and_kind() -> None:
    b = Builder("foreign")
    with b.block("neck"):
        x = b.add("roll", ops.Opaque("aten::roll", (1, 3, 8, 8)), b.input((1, 3, 8, 8)))
    with pytest.raises(LawError, match=r"^neck\.roll: only ops of the vocabulary .*kind 'aten::roll'.* Replace it"):
        to_module(b.build(x))


def test_several_inputs_and_outputs_keep_their_order() -> None:
    b = Builder("two")
    left, right = b.input((1, 4, 2, 2), "images.left"), b.input((1, 4, 2, 2), "images.right")
    total = b.add("total", ops.Add(), left, right)
    module = to_module(b.build(total, right, total))
    x, y = torch.ones(2, 4, 2, 2), torch.full((2, 4, 2, 2), 5.0)
    out = module(images_right=y, images_left=x)
    assert isinstance(out, tuple)
    assert [float(t[0, 0, 0, 0]) for t in out] == [6, 5, 6]


@pytest.mark.parametrize(("names", "message"), [(("conv", "conv.bn"), "a scope must not be a node"), (("code",), "'code' is not")])
def test_a_name_that_no_submodule_can_have_is_refused(names: tuple[str, ...], message: str) -> None:
    b = Builder("names")
    x = b.input((1, 4, 2, 2))
    for name in names:
        x = b.add(name, ops.ReLU(), x)
    with pytest.raises(LawError, match=message):
        to_module(b.build(x))


@pytest.mark.parametrize("key", FAMILIES)
@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The TorchScript type system doesn't support instance-level:UserWarning")  # fx.GraphModule's own
def test_every_family_can_be_scripted(key: str) -> None:
    module = trained_a_little(key)
    scripted = torch.jit.script(module)
    assert torch.equal(scripted(IMAGES), module(IMAGES))
    scripted.train()(IMAGES).sum().backward()
    assert all(p.grad is not None for p in scripted.parameters())


def one_per_kind() -> list[str]:
    """Small networks that between them have every op kind of the zoo, the smallest first."""
    kinds = {key: {type(node.op) for node in family_graph(key)} for key in sorted(FAMILIES, key=lambda key: len(family_graph(key)))}
    found: list[str] = []
    for key, used in kinds.items():
        if used.difference(*(kinds[one] for one in found)):
            found.append(key)
    return [*found, "fenet, learned"] if "fenet, learned" not in found else found


@pytest.mark.slow
@pytest.mark.parametrize("key", one_per_kind())
def test_a_network_per_op_kind_compiles_whole_and_gives_the_same_gradients(key: str) -> None:
    torch.compiler.reset()
    graph = family_graph(key)
    gradients = []
    for is_compiled in (False, True):
        module = to_module(graph, seed=0)
        for dropout in [name for name, layer in module.named_modules() if isinstance(layer, nn.Dropout)]:
            module.get_submodule(dropout).p = 0.0  # the two would draw different masks
        run = torch.compile(module, backend="aot_eager", fullgraph=True) if is_compiled else module
        run(IMAGES).square().sum().backward()
        gradients.append([p.grad for p in module.parameters()])
    for eager, traced in zip(*gradients, strict=True):
        torch.testing.assert_close(eager, traced, rtol=1e-3, atol=1e-4 * float(eager.abs().max()))


def test_the_compiled_networks_have_every_op_kind_of_the_zoo() -> None:
    used = {type(node.op) for key in one_per_kind() for node in family_graph(key)}
    assert used >= {type(node.op) for member in MEMBERS for node in build(member)}


@pytest.mark.parametrize("key", ["shufflenet_v2", "fenet, learned"])
def test_copies_and_stored_modules_compute_the_same_and_keep_the_penalty(key: str) -> None:
    module = trained_a_little(key)
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), torch.load(file, weights_only=False)):
        assert isinstance(twin, Network)
        assert not twin.training
        assert torch.equal(twin(IMAGES), module(IMAGES))
        assert torch.equal(twin.shift_penalty(), module.shift_penalty())
        assert list(twin.state_dict()) == list(module.state_dict())


def test_a_state_dict_carries_over_to_a_fresh_module() -> None:
    module, fresh = trained_a_little("fenet, learned"), to_module(family_graph("fenet, learned"), seed=5).eval()
    assert not torch.equal(fresh(IMAGES), module(IMAGES))
    fresh.load_state_dict(module.state_dict())
    assert torch.equal(fresh(IMAGES), module(IMAGES))


def test_the_shift_penalty_is_zero_without_learned_shifts_and_has_gradients_with() -> None:
    assert to_module(family_graph("fenet"), seed=0).shift_penalty().item() == 0
    module = to_module(family_graph("fenet, learned"), seed=0)
    module.shift_penalty(order=2).backward()
    alpha = module.stem.ib_ssl.shift.alpha
    assert torch.equal(alpha.grad, 2 * alpha.detach())


def test_a_name_that_is_a_word_of_python_is_refused_for_a_submodule_and_mended_for_an_argument() -> None:
    b = Builder("words")
    x = b.input((1, 3, 8, 8), name="self")
    assert to_module(b.build(b.add("relu", ops.ReLU(), x)))(torch.ones(1, 3, 8, 8)).sum() == 3 * 8 * 8
    with pytest.raises(LawError, match=r"^stage1\.lambda: a submodule's name must be a free Python name"):
        to_module(b.build(b.add("stage1.lambda", ops.ReLU(), x)))
