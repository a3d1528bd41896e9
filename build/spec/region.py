"""An image's language and time zone."""

import re
from dataclasses import dataclass

from build.spec.complaint import Unfit, nearest
from build.spec.value import BASIC_LOCALES
from build.workspace import Workspace


@dataclass(frozen=True)
class SetLocale:
    """The language of the system."""

    locale: str

    def describe(self) -> str:
        """Its title, and what it comes to."""
        return f"Set the locale to {self.locale}"

    def run(self, work: Workspace) -> None:
        """The image must know the locale: where it has locale-gen, that makes it."""
        if self.locale not in BASIC_LOCALES:
            self._make(work)
        work.write("/etc/locale.conf", f"LANG={self.locale}\n")
        if work.path("/etc/default/locale").is_file() and not work.path("/etc/default/locale").is_symlink():
            work.write("/etc/default/locale", f"LANG={self.locale}\n")
        if work.path("/etc/cloud/cloud.cfg.d").is_dir():  # cloud-init would set its own at the first boot
            work.write("/etc/cloud/cloud.cfg.d/92-locale.cfg", f"locale: {self.locale}\n")

    def _make(self, work: Workspace) -> None:
        if self._known(work):
            return
        supported = work.path("/usr/share/i18n/SUPPORTED")
        if work.path("/usr/sbin/locale-gen").exists() and supported.is_file():
            known = [line.split() for line in supported.read_text().splitlines() if line and line[0] != "#"]
            charset = next((words[1] for words in known if words[0] == self.locale), None)
            if charset is None:
                near = nearest(self.locale, (words[0] for words in known))
                raise Unfit("locale", self.locale, f"there is no {self.locale!r}{near}")
            wanted = f"{self.locale} {charset}"
            present = work.path("/etc/locale.gen").read_text() if work.path("/etc/locale.gen").is_file() else ""
            if wanted not in present.splitlines():
                work.write("/etc/locale.gen", f"{present}{wanted}\n")
            work.inside("locale-gen")
        if not self._known(work):
            raise Unfit(
                *("locale", self.locale),
                f"the image does not know {self.locale!r}",
                "name one that its packages have (`locale -a` on such a machine), or add the package that has it",
            )

    def _known(self, work: Workspace) -> bool:
        listed = work.inside("locale", "-a").stdout.split()
        return _plain(self.locale) in map(_plain, listed)


def _plain(locale: str) -> str:
    """A locale as glibc compares it: its character set in small letters and digits alone."""
    name, dot, rest = locale.partition(".")
    charset, at, modifier = rest.partition("@")
    return f"{name}{dot}{re.sub('[^a-z0-9]', '', charset.lower())}{at}{modifier}"


@dataclass(frozen=True)
class SetTimeZone:
    """The time zone of the system."""

    zone: str

    def describe(self) -> str:
        """Its title, and what it comes to."""
        return f"Set the time zone to {self.zone}"

    def run(self, work: Workspace) -> None:
        """As timedatectl does: a relative link into the zones' folder; Debian's tools read /etc/timezone too."""
        zones = work.path("/usr/share/zoneinfo")
        if not zones.is_dir():
            raise Unfit("timezone", self.zone, "the image has no time zones", "add the package that has them")
        if not (zones / self.zone).is_file():
            known = [str(path.relative_to(zones)) for path in sorted(zones.rglob("*")) if path.is_file()]
            raise Unfit("timezone", self.zone, f"the image has no {self.zone!r}{nearest(self.zone, known)}")
        work.remove("/etc/localtime")
        work.path("/etc/localtime").symlink_to(f"../usr/share/zoneinfo/{self.zone}")
        if work.path("/etc/timezone").is_file():
            work.write("/etc/timezone", f"{self.zone}\n")
