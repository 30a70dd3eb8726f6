"""The roles around the two decisions of a mind: they read, doubt, look and comment; none of them decides a verdict."""
