"""`python -m scale_app.cli` is the `scale` command."""

from scale_app.cli import main

main()
