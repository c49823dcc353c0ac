"""One outside each, independent of one another. Foreign errors become ScaleErrors here and nowhere else."""
