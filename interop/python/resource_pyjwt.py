"""An API that checks JWT access tokens with PyJWT, as its documentation says.

python resource_pyjwt.py ISSUER AUDIENCE [ALGORITHM]
"""

import sys

import jwt
import requests
from flask import Flask, jsonify, request

from listen import listen

issuer, audience, *algorithms = sys.argv[1:]
metadata = requests.get(issuer + "/.well-known/oauth-authorization-server").json()
keys = jwt.PyJWKClient(metadata["jwks_uri"])
app = Flask(__name__)


@app.errorhandler(jwt.PyJWTError)
def refused(error):
    return jsonify(error=str(error)), 401


@app.get("/reports")
def reports():
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer":
        return jsonify(error="no token"), 401
    key = keys.get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, algorithms=algorithms or None, audience=audience, issuer=issuer)
    if "reports:read" not in claims["scope"].split():
        return jsonify(error="scope"), 403
    return jsonify(subject=claims["sub"])


listen(app)
