"""`python -m pandatui` is `pandatui`."""

from pandatui.cli import main

if __name__ == "__main__":
    main()
