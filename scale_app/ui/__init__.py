"""The page, a module for each of its pages. It computes nothing: texts come from views, drawings from pictures."""
