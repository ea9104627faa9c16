"""`python -m benchmarks NAME`: one of the benchmarks, by name."""

from .harness import main

if __name__ == "__main__":
    raise SystemExit(main())
