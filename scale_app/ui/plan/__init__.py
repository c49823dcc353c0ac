"""The plan as a tab keeps it: the form's texts, and what is done with them."""
