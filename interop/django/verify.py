"""Logs in at URL and verifies the access token with PyJWT, by the published keys."""
import json
import sys
import urllib.request

import jwt

url = sys.argv[1]
login = urllib.request.Request(
    f"{url}/api/token/",
    json.dumps({"username": "alice", "password": "correct-horse-battery"}).encode(),
    {"Content-Type": "application/json"},
)
with urllib.request.urlopen(login) as answer:
    access = json.load(answer)["access"]

key = jwt.PyJWKClient(f"{url}/.well-known/jwks.json").get_signing_key_from_jwt(access)


def verdict(token, **wanted):
    try:
        return {"claims": jwt.decode(token, key, algorithms=["ES256"], **wanted)}
    except jwt.InvalidTokenError as error:
        return {"error": type(error).__name__}


header, payload, signature = access.split(".")
wanted = {"issuer": f"{url}/api/token", "audience": url}
required = {"require": ["iss", "sub", "aud", "exp", "iat", "jti"]}
print(json.dumps({
    "access": verdict(access, **wanted, options=required),
    "tampered": verdict(".".join([header, payload[:-4] + "AAAA", signature]), **wanted),
    "elsewhere": verdict(access, issuer=wanted["issuer"], audience="https://other.example"),
}))
