"""Scale: do the pods behind this service share the work evenly, how sure is that, and why not?"""


def version() -> str:
    """The version that is installed, such as 0.1.0."""
    from importlib.metadata import version as installed  # late: few ask, and loading it takes as long as a command

    return installed("scale")
