"""A run as people read it: words, figures as text, pictures. Made once, for the page, reports and command line."""
