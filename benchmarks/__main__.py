"""All that is measured, one table after the other: `python -m benchmarks`; or one, by name, with options."""

import sys
from importlib import import_module

TABLES = ("step", "screen", "race", "bigdata")

if __name__ == "__main__":
    chosen = sys.argv[1:2] if sys.argv[1:2] and sys.argv[1] in TABLES else list(TABLES)
    if len(chosen) == 1:
        del sys.argv[1]
    for name in chosen:
        import_module(f"benchmarks.{name}").main()
