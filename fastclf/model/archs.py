"""The architectures that were tried: what they weigh, what is published of them, and the default."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

TORCHVISION = "torchvision"
TIMM = "timm"


@dataclass(frozen=True)
class ArchFacts:
    """What is known of an architecture before anything is measured.

    Attributes
    ----------
    name
        What `--arch` takes.
    params
        Millions of parameters of the published network, its head for 1,000 classes included.
    file_mb
        Megabytes of the exported graph, whose head is one linear layer for a few classes.
    imagenet
        Published ImageNet-1k top-1 accuracy in percent, of the whole network with `weights`.
    imagenet_size
        Height and width in pixels that it was published for: 224, or what comes next.
    weights
        The pretrained weights that are loaded by default.
    source
        Who publishes weights and accuracy: "torchvision" (the weights' own description) or "timm"
        (``results/results-imagenet.csv`` of huggingface/pytorch-image-models).
    fixed_size
        The only height and width in pixels that it takes, or None where it takes any.
    maps
        Whether its body ends in maps, so that a heat map is exact and needs one run.
    """

    name: str
    params: float
    file_mb: float
    imagenet: float
    imagenet_size: int
    weights: str
    source: str = TIMM
    fixed_size: int | None = None
    maps: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


# In the order of the time that one answer takes. Left out is what another one with the same abilities beats
# in time and in accuracy, except the course's two.
_ARCHS = (
    ArchFacts("mobilenetv3_small_100", 2.54, 3.7, 67.638, 224, "lamb_in1k"),
    ArchFacts("mobilenetv4_conv_small", 3.77, 5.2, 73.730, 224, "e2400_r224_in1k"),
    ArchFacts("tf_efficientnet_lite0", 4.65, 13.5, 74.832, 224, "in1k"),
    ArchFacts("hgnetv2_b0", 6.00, 7.4, 77.342, 224, "ssld_stage2_ft_in1k"),
    ArchFacts("efficientnet_b0", 5.29, 16.4, 77.696, 224, "ra_in1k"),
    ArchFacts("mobilenetv4_conv_medium", 9.72, 29.0, 79.922, 256, "e500_r256_in1k"),
    ArchFacts("levit_256", 18.89, 74.2, 81.506, 224, "fb_dist_in1k", fixed_size=224, maps=False),
    ArchFacts("edgenext_small", 5.59, 21.9, 81.064, 256, "usi_in1k"),
    ArchFacts("resnet18", 11.69, 44.8, 69.758, 224, "IMAGENET1K_V1", TORCHVISION),
    ArchFacts("resnet34", 21.80, 85.2, 73.314, 224, "IMAGENET1K_V1", TORCHVISION),
)

# With pretrained weights: the network whose weights come by pip, run on real photos (benchmarks/README.md,
# "Transfer"); the others' weights have to be fetched. From random weights what counts is how fast a network
# learns (benchmarks/archs.py; benchmarks/README.md, "Architectures, measured").
DEFAULT_PRETRAINED = "tf_efficientnet_lite0"
DEFAULT_FROM_SCRATCH = "resnet18"
_WHY = {
    True: "tf_efficientnet_lite0's ImageNet weights come by pip, so nothing has to be fetched, and their "
    "published accuracy is 74.8 %.",
    False: "resnet18 learns fastest from few photos: after 6 epochs on 1,443 photos of hand signs it was "
    "right on 97 % of others, lighter ones on 36 to 75 %.",
}


def list_archs() -> tuple[ArchFacts, ...]:
    """Return the tried architectures, in the order of the time that one answer takes.

    Returns
    -------
    tuple of ArchFacts
        The quickest first.

    Examples
    --------
    >>> [arch.name for arch in list_archs()][:2]
    ['mobilenetv3_small_100', 'mobilenetv4_conv_small']
    """
    return _ARCHS


def find_arch(name: str) -> ArchFacts | None:
    """Return what is known of an architecture, or None where it is not on the list.

    Parameters
    ----------
    name
        As timm or torchvision calls it.

    Returns
    -------
    ArchFacts or None
        None where it was not tried.

    Examples
    --------
    >>> find_arch("resnet18").params
    11.69
    """
    return next((facts for facts in _ARCHS if facts.name == name), None)


def choose_arch(pretrained: bool) -> tuple[str, str]:
    """Return the default architecture with ImageNet weights or without, and one sentence that says why.

    It is the same on every device: wherever a model was trained, processors give its answers.
    """
    return (DEFAULT_PRETRAINED if pretrained else DEFAULT_FROM_SCRATCH), _WHY[pretrained]
