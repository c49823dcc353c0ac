"""Each module talks to one thing outside and knows no other adapter. Foreign errors become ScaleErrors only here."""
