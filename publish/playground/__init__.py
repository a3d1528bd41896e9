"""A pretend Azure on this machine, to try a publication on and for tests: real blobs, a double of everything else.

Nothing outside this folder imports it, and what it needs never reaches whoever only publishes.
"""
