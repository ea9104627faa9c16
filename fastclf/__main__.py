"""`python -m fastclf.cli`."""

from . import main

main()
