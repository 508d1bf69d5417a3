"""An API that checks JWT access tokens with Authlib, as its documentation says.

python resource_authlib.py ISSUER AUDIENCE
"""

import sys

import requests
from authlib.integrations.flask_oauth2 import ResourceProtector, current_token
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from flask import Flask, jsonify

from listen import listen

issuer, audience = sys.argv[1:]


class Validator(JWTBearerTokenValidator):
    def get_jwks(self):
        metadata = requests.get(self.issuer + "/.well-known/oauth-authorization-server").json()
        return requests.get(metadata["jwks_uri"]).json()


app = Flask(__name__)
require_oauth = ResourceProtector()
require_oauth.register_token_validator(Validator(issuer=issuer, resource_server=audience))


@app.get("/reports")
@require_oauth("reports:read")
def reports():
    return jsonify(subject=current_token["sub"])


listen(app)
