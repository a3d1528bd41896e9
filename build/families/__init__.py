"""Package families: what a package manager does, once for every distribution that has it."""
