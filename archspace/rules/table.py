"""The design rules: one table from code to rule."""

from __future__ import annotations

from archspace.rules.channel_width import bottleneck, unequal_widths
from archspace.rules.elementwise import elementwise_share, separate_movement, thick_elementwise
from archspace.rules.fragmentation import fragments, parallel_branches
from archspace.rules.group_convolution import group_convolution, narrow_groups
from archspace.rules.roofline import memory_bound
from archspace.rules.rule import Rule, Threshold
from archspace.rules.structure import dead_channels, idle_shuffle, small_receptive_field, unmixed_groups

# The groups of codes, and what each is about.
GROUPS = {
    "G1": "channel width",
    "G2": "group convolution",
    "G3": "fragmentation",
    "G4": "element-wise",
    "S1": "structure",
    "R1": "roofline",
}

RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in (
        Rule("G101", "unequal-widths", "warning", unequal_widths, {"ratio": Threshold(1.2, 1, 100)}),
        Rule("G102", "bottleneck", "warning", bottleneck, {"expansion": Threshold(2, 1, 1000)}),
        Rule("G201", "group-convolution", "warning", group_convolution, {"ratio": Threshold(1.2, 1, 100)}),
        Rule("G202", "narrow-groups", "warning", narrow_groups, {"vector_width": Threshold(4, 1, 1024, whole=True)}),
        Rule("G301", "fragments", "warning", fragments, {"fragments": Threshold(5, 1, 1000, whole=True)}),
        Rule("G302", "parallel-branches", "warning", parallel_branches, {"branches": Threshold(2, 1, 1000, whole=True)}),
        Rule("G401", "elementwise-share", "warning", elementwise_share, {"share": Threshold(0.6, 0, 1)}),
        Rule("G402", "thick-elementwise", "warning", thick_elementwise, {"ratio": Threshold(1, 0.1, 1000)}),
        Rule("G403", "separate-movement", "info", separate_movement, {"operations": Threshold(1, 1, 100, whole=True)}),
        Rule("S101", "unmixed-groups", "warning", unmixed_groups, {"steps": Threshold(4, 1, 100, whole=True)}),
        Rule("S102", "idle-shuffle", "error", idle_shuffle, {}),
        Rule("S103", "dead-channels", "warning", dead_channels, {}),
        Rule("S104", "small-receptive-field", "warning", small_receptive_field, {"share": Threshold(1, 0.01, 1)}),
        Rule("R101", "memory-bound", "info", memory_bound, {"share": Threshold(0.5, 0, 1)}),
    )
}
