"""All that is measured, one table after the other: `python -m benchmarks`."""

from benchmarks import race, screen, step

if __name__ == "__main__":
    step.main()
    screen.main()
    race.main()
