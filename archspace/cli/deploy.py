"""`archspace deploy`: a trained network as it runs at inference, counted before and after."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from archspace.analysis import analyze
from archspace.cli.compare import METRICS
from archspace.cli.device import device_option, latency_note, latency_record
from archspace.cli.output import Table, emit
from archspace.errors import MissingPackageError
from archspace.ir.graph import Graph
from archspace.latency import Latency, load_profile, predict
from archspace.latency.fusion import fused_kernels

if TYPE_CHECKING:
    from archspace.pytorch.deploy import Deployment

SHOWN = ("madds", "params", "mem_elems", "movement_share", "nodes", "kernels")


@click.command("deploy")
@click.argument("source", metavar="MODEL.pt2|DIR", type=click.Path())
@click.option("-o", "--output", metavar="OUT.pt2|DIR", type=click.Path(), help="Write the deployed network there.  [default: only count]")
@device_option
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True, help="Output format.")
@click.option("--force", is_flag=True, help="Overwrite the output files.")
def command(source: str, output: str | None, device: str | None, form: str, force: bool) -> int:
    """Fold batch norms into the layers before them, freeze learned shifts, merge concat, shuffle and slice; count before and after.

    MODEL.pt2 is a file that archspace saved; DIR holds graph.json and weights.pt (a state dict) or model.pt2, as archspace build writes
    it. Kernels are ops that touch memory. The result is run beside the original: exit code 1, and nothing written, when outputs differ
    by more than 1e-5 of their largest magnitude.

    \b
    Example: archspace deploy trained.pt2 -o deployed.pt2
    """
    try:
        from archspace.pytorch.deploy import deployment
        from archspace.pytorch.deploy.agreement import LIMIT, difference, in_float64
        from archspace.pytorch.deploy.files import check_output, network_of, read_network, write_network
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "torch", "torch") from None

    profile = None if device is None else load_profile(device)
    if output is not None:
        check_output(output, force=force)
    graph, state = read_network(source)
    original = network_of(graph, state, source)
    found = deployment(graph, original.state_dict())
    deployed = network_of(found.graph, found.state, source)
    apart = difference(original, deployed, graph)
    passed, notes = apart <= LIMIT, _notes(graph, found)
    if not passed:  # a network that magnifies rounding: the rewriting is judged without it
        exact = deployment(graph, in_float64(original).state_dict())
        again = in_float64(network_of(exact.graph, found.state, source))
        again.load_state_dict(exact.state)
        apart64 = difference(in_float64(original), again, graph)
        passed = apart64 <= LIMIT
        notes.append(f"the network magnifies rounding: in float64 the outputs differ by {apart64:.1e}")
    notes.append(f"outputs differ by {apart:.1e} of their largest magnitude")
    latencies = {} if profile is None else {"before": predict(graph, profile), "after": predict(found.graph, profile)}
    before, after = _counted(graph, latencies.get("before")), _counted(found.graph, latencies.get("after"))
    notes += [line for when, latency in latencies.items() for line in latency_note(latency, f"latency {when}")]
    if output is not None and passed:
        write_network(deployed, found.graph, output, force=force)
    emit(
        form,
        None,
        tables=lambda: [_table(graph.name, before, after, notes)],
        data=lambda: {
            "schema": 1,
            "model": graph.name,
            **({} if profile is None else {"device": profile.device}),
            **({"latency": {when: latency_record(one) for when, one in latencies.items()}} if latencies else {}),
            "before": before,
            "after": after,
            "difference": apart,
            "passed": passed,
            "not_folded": [{"node": kept.node, "why": kept.why} for kept in found.kept],
            "output": output,
        },
        records=lambda: [{"network": "before", **before}, {"network": "after", **after}],
    )
    if output is not None:
        click.echo(f"wrote {output}" if passed else f"{output} not written: the outputs differ", err=True)
    return 0 if passed else 1


def _counted(graph: Graph, latency: Latency | None) -> dict[str, Any]:
    totals = analyze(graph).totals
    ms = {} if latency is None else {"latency_ms": latency.ms}
    return {**{key: getattr(totals, key) for key in SHOWN if key != "kernels"}, "kernels": len(fused_kernels(graph, "none")), **ms}


def _table(name: str, before: dict[str, Any], after: dict[str, Any], notes: list[str]) -> Table:
    rows = []
    for key in before:
        text = METRICS.get(key, METRICS["nodes"])
        ratio = f"x{after[key] / before[key]:.2f}" if before[key] else ""
        rows.append([key, text(before[key]), text(after[key]), ratio])
    return Table(("<", "before", "after", "ratio"), rows, f"{name}, deployed", notes)


def _notes(graph: Graph, found: Deployment) -> list[str]:
    """What was not folded and why, in one line."""
    norms = sum(type(node.op).__name__.startswith("BatchNorm") for node in graph)
    if not norms:
        return []
    if not found.kept:
        return [f"all {norms} batch norms folded"]
    reasons = Counter(kept.why for kept in found.kept)
    first = {kept.why: kept.node for kept in reversed(found.kept)}
    why = "; ".join(f"{n} ({first[reason]}{', ...' if n > 1 else ''}): {reason}" for reason, n in reasons.most_common())
    return [f"{norms - len(found.kept)} of {norms} batch norms folded; not folded: {why}"]
