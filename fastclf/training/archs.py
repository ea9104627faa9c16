"""Stub until merged."""


def choose_arch(pretrained: bool, device: str) -> tuple[str, str]:
    """Return a name and the reason."""
    return ("mobilenetv4_conv_small", "x") if pretrained else ("resnet18", "x")
