"""`python -m fastclf.cli`."""

from .cli import main

main()
