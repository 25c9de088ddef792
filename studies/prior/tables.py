"""What is decided by hand, before anything is fitted: which rows count, which family each belongs to, how each was trained."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Tags of weights that have seen more than ImageNet-1k's labelled images, by a part of the tag.
MORE_DATA = {
    "in21k": "ImageNet-21k",
    "in22k": "ImageNet-22k",
    "in12k": "a selection of ImageNet-22k",
    "laion": "LAION image-text pairs",
    "clip": "image-text pairs",
    "openai": "image-text pairs",
    "jft": "JFT-300M (EfficientNet's noisy student among them)",
    "ig1b": "Instagram hashtags",
    "yfcc": "YFCC100M",
    "swag": "Instagram hashtags",
    "seer": "Instagram images without labels",
    "ssld": "a selection of ImageNet-22k, labelled by a teacher",
    "mim": "masked image models of larger sets",
    "m30m": "merged 30 million images",
    "m38m": "merged 38 million images",
}
# Tags of weights that learned from the outputs of another network, by a part of the tag: left out too.
DISTILLED = {"dist": "a teacher's outputs beside the labels", "usi": "a teacher's outputs (USI)"}

# Networks that mix positions otherwise than by convolution, pooling or shift though no node of their graph is a product of activations.
NOT_CONVOLUTIONAL = {
    "mobilevitv2": "separable self-attention: softmax and sums",
    "swiftformer": "additive attention: softmax and sums",
    "gmixer": "linears across positions",
    "gmlp": "linears across positions",
    "resmlp": "linears across positions",
    "sequencer": "recurrence across positions",
}
# Kinds of ops that do so wherever they stand: products of activations, and recurrence.
MIXING_KINDS = {"MatMul", "ScaledDotProductAttention", "Einsum", "LSTM", "GRU", "RNN"}

# Lineages, the first that matches: what is left out together. A family of one paper whose networks vary another's stays with the other.
FAMILIES = (
    (r"test_(convnext|efficientnet|nfnet|resnet)", None),  # timm's small networks for tests: with what they are small versions of
    (r"dla", "dla"),
    (r"dpn", "dpn"),
    (r"nfnet|nf_resnet|nf_regnet", "nfnet"),
    (r"repvgg", "repvgg"),
    (r"efficientnet|tinynet|edgetpu", "efficientnet"),
    (r"mnasnet", "mnasnet"),
    (r"rexnet", "rexnet"),
    (r"regnet", "regnet"),
    (r"convnext|inception_next", "convnext"),
    (r"inception", "inception"),
    (r"cs3|darknet|cspres", "darknet"),
    (r"fbnet", "fbnet"),
    (r"spnasnet", "spnasnet"),
    (r"nasnet|darts", "cells"),  # NASNet-A, PNASNet-5, DARTS
    (r"densenet|condensenet|rdnet", "densenet"),
    (r"xception_light|legacy_xception", "xception"),
    (r"shufflenet|xception_like", "shufflenet"),  # Xception-like of the ShuffleNet papers is ShuffleNet with one group
    (r"mobilenet", "mobilenet"),
    (r"igcv", "igcv"),
    (r"fenet", "fenet"),
    (r"shiftnet|as_resnet", "shiftnet"),
    (r"ghostnet", "ghostnet"),
    (r"poolformer", "poolformer"),
    (r"vgg", "vgg"),
    (r"resne|wide_res|senet|res2ne|tresnet", "resnet"),  # ResNeXt, SE, SK, ECA, Res2Net, ResNeSt, TResNet and -RS are its variants
)


def family_of(network: str) -> str:
    """The lineage that a network is left out with.

    >>> family_of("legacy_seresnext50_32x4d"), family_of("test_nfnet"), family_of("spnasnet_100"), family_of("hardcorenas_a")
    ('resnet', 'nfnet', 'spnasnet', 'hardcorenas')
    """
    for pattern, family in FAMILIES:
        match = re.search(pattern, network)
        if match:
            return family or match[1]
    return re.split(r"[_\d]", network)[0]


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way of training, and which of timm's tags (without `_in1k` and what follows it) stand for it."""

    text: str
    tags: tuple[str, ...] = ()


REFERENCE = "that of the papers of efficient networks: 90 to 480 epochs, crops and flips, at most label smoothing"
RECIPES = {
    "plain": Recipe("90 to 120 epochs, crops, flips and colour", ("tv", "pycls", "mx", "rvgg", "tf_adv", "tf_ens_adv")),
    "tricks": Recipe(
        "bag of tricks: cosine or RMSProp schedules, label smoothing, mixup or AutoAugment; or a modern recipe of 100 epochs at 160 pixels",
        ("gluon", "bt", "rmsp", "tf", "a3", "c3"),
    ),
    "modern": Recipe(
        "300 epochs and more, RandAugment, mixup and cutmix, random erasing, averaged weights",
        (
            "a1", "a1h", "a2", "a2h", "agc", "ah", "am", "apple", "b1k", "b2k", "c1", "c2", "c2ns", "d", "d1", "d1h", "d2", "deit", "dm",
            "fb", "fcmae_ft", "lamb", "miil", "ms", "nav", "nv", "nv_in1k_ft", "ra", "ra2", "ra3", "ra4_e3600_r224", "ra4_e3600_r256",
            "racm", "ram", "sail", "tv2",
        ),
    ),
    "distilled": Recipe("a modern recipe with a teacher's outputs, by the family's paper", ("idstcv", "miil_green")),
    "test": Recipe("timm's networks for tests, at 160 pixels", ("r160",)),
}  # fmt: skip
# Weights of a network's authors (the tag is `in1k` alone) or of a tag that is several recipes, by the network's name.
BY_NETWORK = (
    ("in1k", r"dla|selecsls|res2ne|legacy_se", "plain"),
    ("in1k", r"resnest|ghostnet_100", "tricks"),
    ("in1k", r"ghostnetv3", "distilled"),
    ("in1k", r"ghostnetv2|tinynet|efficientnetv2|fasternet|starnet|convmixer", "modern"),
    ("tf", r"resnetrs", "modern"),
)


def recipe_of(network: str, tag: str) -> str:
    """The recipe behind a tag. Raises LookupError for one that the table does not know.

    >>> recipe_of("resnet50", "a1_in1k"), recipe_of("dla34", "in1k"), recipe_of("resnetrs50", "tf_in1k")
    ('modern', 'plain', 'modern')
    """
    short = re.sub(r"_in1k(_\d+)?$", "", tag)
    for of_tag, pattern, recipe in BY_NETWORK:
        if short == of_tag and re.search(pattern, network):
            return recipe
    found = [name for name, recipe in RECIPES.items() if short in recipe.tags]
    if len(found) != 1:
        raise LookupError(f"{network}: the tag {tag} is in {len(found)} recipes, and must be in one")
    return found[0]


def left_out(tag: str) -> str:
    """Why a row's weights are not of ImageNet-1k's labels alone, or nothing."""
    for table in (MORE_DATA, DISTILLED):
        for part, why in table.items():
            if part in tag:
                return why
    return ""
