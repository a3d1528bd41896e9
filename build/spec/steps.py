"""Steps that apply a spec to a tree, by programs of the image and in the order in which they are listed here."""

from build.spec.accounts import AddUser
from build.spec.commands import RunCommand
from build.spec.files import WriteSpecFiles
from build.spec.first_boot import BakeFirstBoot
from build.spec.kept import KeepRepositories
from build.spec.region import SetLocale, SetTimeZone
from build.spec.services import SetServices
from build.spec.value import Services, Spec

Step = KeepRepositories | AddUser | SetLocale | SetTimeZone | WriteSpecFiles | BakeFirstBoot | RunCommand | SetServices


def steps(spec: Spec) -> tuple[Step, ...]:
    """What the spec does to a tree that the recipe has configured, before its menu is written and it is sealed."""
    return (
        *((KeepRepositories(kept),) if (kept := tuple(one for one in spec.repositories if one.keep)) else ()),
        *(AddUser(one) for one in spec.users),
        *((SetLocale(spec.locale),) if spec.locale else ()),
        *((SetTimeZone(spec.timezone),) if spec.timezone else ()),
        *((WriteSpecFiles(spec.files),) if spec.files else ()),
        *((BakeFirstBoot(spec.first_boot),) if spec.first_boot else ()),
        *(RunCommand(one, number, len(spec.commands)) for number, one in enumerate(spec.commands, 1)),
        *((SetServices(spec.services),) if spec.services != Services() else ()),
    )
