"""Checks and makes stored passwords, as a Django of default settings does.

It reads {"password", "check": [strings]} from standard input, and prints for each string
whether the password is right and whether Django would make it anew, and one string that
it makes by each hasher. Without argon2-cffi it prints {"missing": "argon2-cffi"}.
"""
import importlib.util
import json
import sys

from django.conf import settings

HASHERS = "django.contrib.auth.hashers."
settings.configure(PASSWORD_HASHERS=[HASHERS + "PBKDF2PasswordHasher", HASHERS + "Argon2PasswordHasher"])

from django.contrib.auth.hashers import (  # noqa: E402
    check_password,
    identify_hasher,
    make_password,
)

if importlib.util.find_spec("argon2") is None:
    print(json.dumps({"missing": "argon2-cffi"}))
    sys.exit()

given = json.load(sys.stdin)
checked = [
    {
        "right": check_password(given["password"], stored),
        "wrong": check_password(given["password"] + "x", stored),
        "anew": identify_hasher(stored).must_update(stored),
    }
    for stored in given["check"]
]
made = {name: make_password(given["password"], hasher=name) for name in ("pbkdf2_sha256", "argon2")}
print(json.dumps({"checked": checked, "made": made}))
