"""What every script shares: the flags, and the way from an exception to an exit code."""

import argparse
import os
import shlex
import sys
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from helpers import __version__, signals
from helpers.cli_validation import FlagGroup, did_you_mean, validate_args
from helpers.errors import AppError, Stopped, os_error
from helpers.packages import missing_package
from helpers.report import Reporter, close_stdout, open_streams

EXIT_CODES = """\
exit codes:
  0 done   1 a bug   2 bad arguments   3 finished, but incomplete   4 source unavailable
  5 data unusable   6 cannot write   75 another run is at work   130/143 stopped; resumes
"""


class Parser(argparse.ArgumentParser):
    """An argparse parser that collects what is wrong instead of leaving at the first problem.

    `validate_args` reports the collected problems together with those of the values.
    """

    def read(self, args: Sequence[str] | None = None) -> Namespace:
        """Return the flags; what argparse cannot read is named in its `problems`."""
        words = list(sys.argv[1:] if args is None else args)
        problems: list[str] = []
        while True:
            try:
                parsed, unknown = self.parse_known_args(words)
                break
            except argparse.ArgumentError as error:
                problems.append(f"{error.argument_name} {error.message}")
                names = (error.argument_name or "").split("/")
                others = [word for word in words if word.split("=", 1)[0] not in names]
                words = others if len(others) < len(words) else []
        problems += self._unknown(unknown)
        parsed.problems = tuple(problems)
        return parsed

    def _unknown(self, words: Sequence[str]) -> Iterator[str]:
        """Name the flags that do not exist; what stands behind one of them may be its value."""
        names = [name for action in self._actions for name in action.option_strings]
        flag = None
        for word in words:
            if word.startswith("-") and word != "-":
                flag = word.split("=", 1)[0]
                yield f"{flag} is no flag of this script{did_you_mean(flag, names)}"
            elif flag is None:
                yield f"{word!r} is one argument too many"


def parser(description: str | None, *groups: FlagGroup) -> Parser:
    """Return a parser of the flags that all scripts have, and of those in `groups`."""
    made = Parser(
        description=description,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        exit_on_error=False,
    )
    made.set_defaults(flag_groups=groups, problems=())
    made.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    output = made.add_argument_group("output")
    loudness = output.add_mutually_exclusive_group()
    loudness.add_argument("-q", "--quiet", action="store_true", help="warnings and errors only")
    loudness.add_argument("-v", "--verbose", action="store_true", help="details and tracebacks")
    output.add_argument("--json", action="store_true", help="print the result as JSON on stdout")
    for group in groups:
        section = made.add_argument_group(group.title)
        for flag in group.flags:
            section.add_argument(flag.name, **flag.argparse)
    return made


def next_step(script: str, *words: object) -> str:
    """Return the line that tells what to type next: a script of the project with its arguments."""
    path = os.path.relpath(Path(__file__).resolve().parent.parent / script)
    return f"Next: {shlex.join(['python', path, *map(str, words)])}"


def run(
    the_parser: Parser,
    work: Callable[[Namespace, Reporter], int],
    argv: Sequence[str] | None = None,
) -> int:
    """Parse, check, work, and turn whatever happens into the exit code of the contract.

    `work` returns its exit code or raises; `argv` is that of the process if None.
    """
    open_streams()
    report = Reporter()
    try:
        args = the_parser.read(argv)
        report = Reporter(quiet=args.quiet, verbose=args.verbose, as_json=args.json)
        validate_args(args)
        signals.install()
        code = work(args, report)
    except BrokenPipeError:
        code = 0  # the reader (`| head`) has seen enough
    except (Exception, Stopped) as caught:  # noqa: BLE001 - where all of them become exit codes
        error = _meaning(caught)
        report.error(error, caught)
        code = error.exit_code
        if isinstance(caught, Stopped) and threading.active_count() > 1:
            os._exit(code)  # a worker still hangs in a system call
    finally:
        close_stdout()
    return code


def _meaning(caught: BaseException) -> AppError:
    """Return what to tell of a failure that any line of code may meet."""
    if isinstance(caught, AppError):
        return caught
    if isinstance(caught, Stopped):
        stopped = AppError(
            f"stopped by {caught}",
            details="everything that was finished is saved",
            suggestion="type the same command again: it goes on where it stopped",
        )
        stopped.category, stopped.exit_code = "stopped", caught.exit_code
        return stopped
    if isinstance(caught, OSError) and caught.errno is not None:
        return os_error(caught)
    missing = missing_package(caught) if isinstance(caught, ImportError) else None
    return missing or AppError(
        f"{type(caught).__name__}: {caught}",
        details="this is a bug; nothing that was finished is lost",
        suggestion="report it with the lines above; the same command resumes",
    )
