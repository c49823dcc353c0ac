"""The page, a module or folder for each of its pages. It computes nothing: texts are views', drawings are pictures'."""
