"""`python -m planloom` is the command line."""

from planloom.cli import main

if __name__ == "__main__":
    main()
