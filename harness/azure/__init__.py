"""The pretend Azure host: what it knows, what it answers, what it remembers."""
