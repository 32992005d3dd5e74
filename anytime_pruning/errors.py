"""The errors a user can meet, each with the exit status of the command line; what they say fits on one line."""


class ArtifactError(Exception):
    """Something the command line reports as one line, without a traceback."""

    exit_status = 1


class SettingError(ArtifactError, ValueError):
    """A setting has a value that is not allowed; the message names the setting, its value and what is allowed."""

    exit_status = 2


class DataError(ArtifactError):
    """A data file is missing, corrupt or of the wrong kind; the message names it and what to do."""

    exit_status = 2


class DivergenceError(ArtifactError):
    """Training or scoring met a value that is not finite; the message names the megabatch and the step."""


class CapacityError(ArtifactError):
    """The memory of the machine or its GPU does not suffice; the message names the settings to lower."""


class InvariantError(ArtifactError):
    """What must hold at every moment of a run does not; the message names it, the megabatch and the layer."""


class VerificationError(ArtifactError):
    """Stored results are not what they should be; each problem was said in a line of its own before."""
