"""Which names may be given to machines, accounts and images, and what a public key looks like."""

import re

HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
HOSTNAME_HINT = "a-z, 0-9 and -, at most 63, as Azure's DNS takes it"
ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
ACCOUNT_HINT = "a-z, 0-9, - and _, at most 31"
PUBLIC_KEY = re.compile(r"(ssh-(rsa|ed25519)|ecdsa-sha2-nistp(256|384|521)|sk-\S+) [A-Za-z0-9+/=]+( [^\n]*)?")
IMAGE = re.compile(r"[a-z0-9]([a-z0-9._-]{0,38}[a-z0-9])?")
IMAGE_HINT = "a-z, 0-9, -, . and _, at most 40, with a letter or digit at both ends"
