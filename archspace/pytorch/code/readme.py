"""README.md beside generated code: what it is, what it costs, how to load, train and export it."""

from __future__ import annotations

from collections.abc import Collection

from archspace.analysis import analyze
from archspace.ir.features import feature_info
from archspace.ir.graph import Graph
from archspace.units import format_count
from archspace.zoo import chosen_options

# What may lie in the folder, and what it is.
FILES: dict[str, str] = {
    "model.py": "the network as plain `torch.nn` modules; needs nothing but torch",
    "shift.py": "the shift layers that `model.py` imports",
    "graph.json": "the graph that it was written from; `archspace analyze graph.json` counts it again",
    "weights.pt": "a state dict",
    "model.pt2": "the network with its weights in evaluation mode, for `torch.export.load`",
    "model.onnx": "the same for ONNX Runtime",
}

TRAINING = (
    "for images, labels in batches:",
    "    optimizer.zero_grad()",
    "    torch.nn.functional.cross_entropy(model(images), labels).backward()",
    "    optimizer.step()",
)


def readme(graph: Graph, network: str, files: Collection[str], *, has_seed: bool = True) -> str:
    """The text for a graph whose class is called `network`, beside these files."""
    totals = analyze(graph).totals
    shapes = " and ".join("x".join(map(str, node.shape)) for node in graph.inputs)
    inputs = ", ".join(f"torch.randn({', '.join(map(str, node.shape))})" for node in graph.inputs)
    options = ", ".join(f"{key}={value}" for key, value in chosen_options(graph.config).items())
    weights = "weights.pt" if "weights.pt" in files else "checkpoint.pt"
    return "\n".join(
        [
            f"# {network}",
            "",
            f"`{graph.name}` as PyTorch code, written by archspace{f' ({options})' if options else ''}.",
            "",
            "| | |",
            "|---|---|",
            f"| input | {shapes} (any batch) |",
            f"| output | {' and '.join('x'.join(map(str, graph.nodes[i].shape)) for i in graph.outputs)} |",
            f"| multiply-adds | {format_count(totals.madds)} ({totals.madds:,}) |",
            f"| parameters | {format_count(totals.params)} ({totals.params:,}) |",
            f"| memory access | {format_count(totals.mem_elems)} elements |",
            *_features(graph),
            "",
            *(f"- `{name}`: {what}" for name, what in FILES.items() if name in files),
            "",
            "```python",
            "import torch",
            "",
            f"from model import {network}",
            "",
            f"model = {network}(){f'  # fresh weights; {network}(seed=0) starts them from a seed' * has_seed}",
            f'model.load_state_dict(torch.load("{weights}", weights_only=True))  # names are those of archspace.to_module(graph)',
            f"y = model.eval()({inputs})",
            "",
            "optimizer = torch.optim.SGD(model.train().parameters(), lr=0.1, momentum=0.9, weight_decay=4e-5)",
            *(TRAINING if len(graph.outputs) == 1 and len(graph.nodes[graph.outputs[0]].shape) == 2 else ()),
            "```",
            "",
            "To export it:",
            "",
            "```python",
            f"program = torch.export.export(model.eval(), ({inputs}{',' * (len(graph.inputs) == 1)}))",
            'torch.export.save(program, "model.pt2")',
            "```",
            "",
        ]
    )


def _features(graph: Graph) -> list[str]:
    info = feature_info(graph) if len(graph.outputs) > 1 else ()
    maps = ", ".join(f"{one['module']}: {one['num_chs']} channels at 1/{one['reduction']}" for one in info)
    return [f"| maps | {maps} |"] if info else []
