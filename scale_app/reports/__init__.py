"""A run as a file to keep, send or feed to a pipeline. Pure: everything known of a run in, one file's content out."""

from scale_app.reports.formats import FORMATS, Export, Format, export, run_from_json, run_to_json

__all__ = ["FORMATS", "Export", "Format", "export", "run_from_json", "run_to_json"]
