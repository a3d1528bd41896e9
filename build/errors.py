"""Errors, one class for each party that must act. The exit statuses are the project's contract:

1 an image failed (not an error: a report says why), 2 the caller, 3 the owner of this machine,
4 the recipe's author, 5 Kiln itself, 6 the owner of the subscription.
"""


class KilnError(Exception):
    """Something foreseen went wrong: `what` happened where, and the `hint` says what to do next."""

    status = 5
    who = "Kiln"

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def as_dict(self) -> dict[str, object]:
        """The error as `--json` prints it."""
        return {"error": self.what, "hint": self.hint, "who": self.who, "status": self.status}


class CallerError(KilnError):
    """What was asked for does not exist or does not fit: the caller must ask otherwise."""

    status = 2
    who = "caller"


class MachineError(KilnError):
    """This machine lacks something: a tool, a right, space, or the way to an archive."""

    status = 3
    who = "machine"


class RecipeError(KilnError):
    """A recipe is wrong: it names what its distribution does not have."""

    status = 4
    who = "recipe"


class Bug(KilnError):
    """Kiln is wrong: something that its own steps rule out has happened."""

    status = 5
    who = "kiln"


class SubscriptionError(KilnError):
    """The Azure subscription refuses: its owner must act."""

    status = 6
    who = "subscription"
