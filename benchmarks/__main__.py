"""All that is measured, one table after the other: `python -m benchmarks`, or by name those that are wanted.

`--quick` goes to each that has it; a single one takes its own options: `python -m benchmarks step --help`.
"""

import signal
import sys
from importlib import import_module

TABLES = ("step", "race", "screen", "long_run", "bigdata")  # `importance` is no rate


def main(arguments: list[str]) -> None:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # what was started is ended too
    if arguments and arguments[0] in ("-h", "--help"):
        print(f"{__doc__}\nTables: {', '.join(TABLES)}")
    elif arguments and not arguments[0].startswith("-"):
        if arguments[0] not in TABLES:
            sys.exit(f"no table {arguments[0]!r}: expected one of {', '.join(TABLES)}")
        import_module(f"benchmarks.{arguments[0]}").main(arguments[1:])
    else:
        for name in TABLES:
            print(f"\n== {name} ==")
            import_module(f"benchmarks.{name}").main(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
