"""`python -m afterword` is the command `afterword`."""

from afterword.interfaces.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
