"""What holds of every graph: no rule fails, blames what is not there, or finds more wasted than an op accesses."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import graphs

from archspace import Graph
from archspace.ir.resize import with_input
from archspace.latency import load_profile
from archspace.rules import RULES, lint
from archspace.rules.network import Network

# What these rules measure is counted in channels, ops and pixels: no weight is weighed against a map.
OF_STRUCTURE = ("G102", "G202", "G3", "G402", "G403", "S")
LOW = {code: {name: threshold.low for name, threshold in rule.thresholds.items()} for code, rule in RULES.items() if code != "G202"}


@settings(deadline=None)
@given(graphs())
def test_every_finding_points_at_a_node_and_says_what_lies_beyond_its_bound(graph: Graph) -> None:
    found = lint(graph, device="gtx1080ti", thresholds=LOW)
    names = {node.name: node.block for node in graph}
    for finding in found.findings:
        assert finding.block == names[finding.node]
        assert finding.excess_mem_elems >= 0
        assert finding.excess_ms is not None
        assert finding.excess_ms >= 0
        assert finding.message
        assert finding.instead
        below = finding.code in ("G202", "S104")  # these ask for at least their bound
        assert finding.measured < finding.bound if below else finding.measured > finding.bound
    assert sum(found.summary.values()) == len(found.findings) == found.waste["total"].findings


@settings(deadline=None)
@given(graphs(), st.booleans())
def test_no_rule_finds_more_wasted_than_the_nodes_that_it_blames_access(graph: Graph, low: bool) -> None:
    network = Network.of(graph)
    for rule in RULES.values():
        for breach in rule.check(network, rule.limits(LOW.get(rule.code, {}) if low else {})):
            for i, elems in breach.waste.items():
                access = network.counts[i].mem_elems
                if rule.code == "G202":  # the empty lanes of vectors, which the access does not count: at most 3 of 4
                    access = 3 * (network.counts[i].in_elems + network.counts[i].out_elems)
                assert 0 <= elems <= access, (rule.code, graph.nodes[i].name)


@settings(deadline=None)
@given(graphs(), st.booleans())
def test_a_guideline_wastes_at_most_what_the_network_accesses(graph: Graph, low: bool) -> None:
    for group in ("G1", "G3", "G4", "S"):
        found = lint(graph, select=[group], thresholds=LOW if low else {})
        assert found.waste["total"].mem_elems <= found.mem_elems


@settings(deadline=None)
@given(graphs(), st.integers(2, 16))
def test_what_is_measured_of_structure_does_not_depend_on_the_batch(graph: Graph, batch: int) -> None:
    larger = with_input(graph, (batch, *graph.input_shape[1:]))
    one, many = (lint(some, select=OF_STRUCTURE, thresholds=LOW) for some in (graph, larger))
    measured = [
        sorted((finding.code, finding.node, finding.measured, finding.message) for finding in found.findings) for found in (one, many)
    ]
    assert measured[0] == measured[1]


@settings(deadline=None)
@given(graphs(), st.integers(2, 16))
def test_a_larger_batch_only_hides_weights_so_ratios_of_memory_access_grow(graph: Graph, batch: int) -> None:
    thresholds = {"G101": {"ratio": 1}, "G201": {"ratio": 1}}
    one, many = (
        {(finding.code, finding.node): finding for finding in lint(some, select=thresholds, thresholds=thresholds).findings}
        for some in (graph, with_input(graph, (batch, *graph.input_shape[1:])))
    )
    assert set(one) <= set(many)
    for key, finding in one.items():
        assert many[key].measured >= finding.measured * (1 - 1e-12)
        assert abs(many[key].excess_mem_elems - batch * finding.excess_mem_elems) <= batch  # rounded down before


@settings(deadline=None)
@given(graphs())
def test_where_nothing_is_fused_every_wasted_element_has_its_price(graph: Graph) -> None:
    profile = replace(load_profile("gtx1080ti"), fusion="none", batch=1)
    found = lint(graph, device=profile)
    per_elem = profile.coefficients["default"].ms_per_gb_in * 4e-9
    for finding in found.findings:
        assert finding.excess_ms is not None
        assert finding.excess_ms >= finding.excess_mem_elems * per_elem * (1 - 1e-9)
    assert (found.waste["total"].ms or 0.0) >= found.waste["total"].mem_elems * per_elem * (1 - 1e-9)
