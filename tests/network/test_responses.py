"""How errors of the libraries are told: by what they are, not by words in an address."""

import pytest
import requests
import urllib3

from helpers.network.responses import TransientError, transient_errors

ADDRESS = "https://h/timed out/SSL.jpg"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (requests.ReadTimeout(ADDRESS), "no answer in time"),
        (urllib3.exceptions.ReadTimeoutError(None, ADDRESS, "late"), "no answer in time"),  # type: ignore[arg-type]
        (TimeoutError(), "no answer in time"),
        (requests.exceptions.SSLError("bad certificate"), "TLS failed"),
        (requests.ConnectionError("Connection refused"), "connection refused"),
        (requests.ConnectionError("Failed to resolve 'h'"), "the host name cannot be resolved"),
        (requests.ConnectionError(f"aborted: {ADDRESS}"), "the connection broke off"),
        (ConnectionResetError(), "the connection broke off"),
    ],
)
def test_an_error_is_told_by_what_it_is(error: Exception, reason: str) -> None:
    """Reasons are few, so that they group well; an address in the text decides nothing."""
    with pytest.raises(TransientError) as caught, transient_errors():
        raise error
    assert str(caught.value) == reason
