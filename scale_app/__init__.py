"""Scale: do the pods behind this service share the work evenly, how sure is that, and why not?"""
