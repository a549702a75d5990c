"""Which index is meant: flags that several scripts share."""

from helpers.cli_validation import Directory, Flag

INDEX = Flag("--index", Directory(), "index_out", "DIR", "directory of a build")
SCANS = Flag(
    "--cache", Directory(), None, "DIR", "pictures of the cards (the cache that was built from)"
)
