"""Where a build's packages come from, as the caller chose it."""

from dataclasses import dataclass

from distros.recipe import Archive, Repository


@dataclass(frozen=True)
class Sources:
    """The recipe's own archives, or a mirror of them.

    `mirror` is the URL of a private mirror, `keyring` the name of the key that signs it instead of the distribution's
    (`build.keys`); `offline`: ask nobody, use the cache. `credentials` is a file with what the recipe's archives want
    of whoever asks (an entitlement's folder, a registration): its path goes to the programs that need it, its content
    nowhere. `extra` are further sources of the caller's own, which no mirror takes the place of; their keys are the
    caller's (`build.keys`), and it is the caller who is to blame for them.
    """

    mirror: str | None = None
    keyring: str | None = None
    offline: bool = False
    credentials: str = ""
    extra: tuple[Archive | Repository, ...] = ()
