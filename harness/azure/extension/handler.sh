#!/bin/sh
# The probe: an extension that says in its status what it was told openly and what in secret.
# The agent calls it in its own folder below /var/lib/waagent, where the VM's certificates are.
set -eu
[ "${1:-}" = enable ] || exit 0

number=$ConfigSequenceNumber
settings=config/$number.settings

# field NAME: the first string of this name in the JSON that comes in.
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1; }

open=$(field word <"$settings")
certificate=$(field protectedSettingsCertThumbprint <"$settings")
secret=$(field protectedSettings <"$settings" | base64 -d |
    openssl cms -decrypt -inform DER -recip "../$certificate.crt" -inkey "../$certificate.prv" | field secret)

mkdir -p status
cat >"status/.$number" <<END
[{"version": 1.0, "timestampUTC": "$(date -u +%Y-%m-%dT%H:%M:%SZ)", "status": {"name": "probe", "operation": "enable",
"status": "success", "code": 0, "formattedMessage": {"lang": "en-US", "message": "word $open, secret $secret"}}}]
END
mv "status/.$number" "status/$number.status"
