"""The failures that end a run, each with its exit code.

A run that fails is an exception of this family; an item that fails (one image, one query) is a
value. The exit code belongs to the class: no script chooses one.
"""

import errno
import signal


class AppError(Exception):
    """A failure of a whole run: what is wrong, what was seen, and the next command to type."""

    exit_code = 1
    category = "unexpected"

    def __init__(self, message: str, *, details: str = "", suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.suggestion = suggestion

    def __str__(self) -> str:
        lines = [f"{self.category}: {self.message}"]
        if self.details:
            lines.append("  Details: " + self.details.replace("\n", "\n           "))
        if self.suggestion:
            lines.append("  Suggestion: " + self.suggestion.replace("\n", "\n              "))
        return "\n".join(lines)


class UsageError(AppError):
    """Bad arguments, found before any work."""

    exit_code = 2
    category = "usage"


class IncompleteError(AppError):
    """The run finished, but too much of it failed."""

    exit_code = 3
    category = "incomplete"


class SourceError(AppError):
    """Scryfall, the network or the model weights cannot be had."""

    exit_code = 4
    category = "source unavailable"


class DataError(AppError):
    """The data are missing, damaged or do not belong together."""

    exit_code = 5
    category = "data unusable"


class BrokenImagesError(DataError):
    """Too many images of the cache are broken; they can be fetched again."""


class WriteError(AppError):
    """Nothing can be written: disk full, permission, read-only."""

    exit_code = 6
    category = "cannot write"


class BusyError(AppError):
    """Another run holds the lock of the directory (75 is EX_TEMPFAIL of sysexits.h)."""

    exit_code = 75
    category = "already running"


class Stopped(BaseException):
    """SIGINT or SIGTERM arrived. Not an `Exception`, so that no item's handler swallows it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_code = 128 + signum


_MAKE_ROOM = "free some space, then type the same command again: it resumes"
_CHOOSE = "change its permissions (chmod), or name another path"
_ADVICE = {
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EFBIG: "raise the file-size limit (ulimit -f), then type the same command again",
    errno.EROFS: _CHOOSE,
    errno.EACCES: _CHOOSE,
    errno.EPERM: _CHOOSE,
    errno.ENAMETOOLONG: "name a shorter path",
    errno.ENOENT: "check the path; something may have removed it during the run",
    errno.EMFILE: "raise the limit of open files (ulimit -n), or use fewer --workers",
    errno.EBADF: "do not close it; to see nothing, send it to /dev/null",
}
#: What only writing meets; everything written goes through `helpers.atomic_io`, so that any other
#: error of the system was met while reading.
_WRITING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})


def os_error(error: OSError) -> AppError:
    """Return what an error of the system means that no nearer code has explained."""
    if error.errno in _WRITING:
        return write_error(error, error.filename or "the disk")
    return DataError(
        "the system refuses" if error.filename is None else f"cannot read: {error.filename!s}",
        details=f"{type(error).__name__}: {error}",
        suggestion=_ADVICE.get(error.errno or 0, "look at what the details name"),
    )


def write_error(error: OSError, path: object) -> WriteError:
    """Return the `WriteError` that tells the user what `error`, met while writing `path`, means."""
    return WriteError(
        f"{error.strerror or error}: {path}",
        details=f"{type(error).__name__}: {error}",
        suggestion=_ADVICE.get(error.errno or 0, "check the disk and type the command again"),
    )
