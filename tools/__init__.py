"""What an agent may call: the cell, chemistry, statistics, search and the lab executors."""
