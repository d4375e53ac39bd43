"""The code of an authenticator app, the second thing that somebody proves beside a password (TOTP, RFC 6238).

What lives here: what the app is given, as a picture and to type, and of which half minute a code is. What must not: whose key it is, and
that a code is taken once (accounts.py). The libraries are imported where they are used, since every command that opens the decisions
store comes by.
"""

from __future__ import annotations

import base64
import datetime as dt

from markupsafe import Markup

# RFC 6238, 5.2: one step to either side, for the time it takes to type and for a telephone that is half a minute wrong.
STEPS_APART = 1
KEY_BYTES = 20  # RFC 4226, 4: 160 bits, the length of the hash


def key_of(secret: bytes) -> str:
    """The key of an app, in base 32 as apps take it, of bytes that nobody can guess."""
    return base64.b32encode(secret[:KEY_BYTES]).decode()


def in_fours(key: str) -> str:
    """The key as somebody types it."""
    return " ".join(key[place : place + 4] for place in range(0, len(key), 4))


def picture(key: str, name: str) -> Markup:
    """What an app scans, as SVG without script or style. `name`: of the account, as the app will show it."""
    import pyotp
    import segno

    address = pyotp.TOTP(key, name=name, issuer="Tessera").provisioning_uri()
    # On white whatever the page's colours, or no camera reads it. The key stands beside it for whoever does not see it.
    drawn = segno.make(address, error="m", micro=False).svg_inline(scale=4, light="#fff", omitsize=True)
    return Markup(drawn)  # noqa: S704 - of squares alone: the address is in it as a picture


def step_of(key: str, code: str, at: dt.datetime) -> int | None:
    """The half minute, since 1970, of which the code is; None where it is of none about `at`. Spaces in it do not matter."""
    import pyotp
    from pyotp.exceptions import OTPVerificationError

    code = "".join(code.split())
    if not (len(code) == 6 and code.isascii() and code.isdecimal()):
        return None
    try:
        moment = at.replace(tzinfo=dt.UTC)
        return pyotp.TOTP(key).verify_and_get_timecode(code, for_time=moment, valid_window=STEPS_APART)
    except OTPVerificationError:
        return None
