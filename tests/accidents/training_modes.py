"""The two ways to train, as the command is given them, the second so small that it takes seconds."""

MODES = {
    "head": (),
    "fine-tune": (
        "--mode=fine-tune", "--epochs=1", "--arch=test_resnet", "--size=32", "--no-pretrained", "--workers=0",
    ),
}  # fmt: skip
