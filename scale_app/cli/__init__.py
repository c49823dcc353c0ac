"""The `scale` command: what people and pipelines type. It computes nothing; what it prints comes from the domain."""

from scale_app.cli.commands import main

__all__ = ["main"]
