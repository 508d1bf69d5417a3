"""A web application with requests-oauthlib, written as the web example of its documentation.

python login_requests_oauthlib.py ISSUER CLIENT SECRET [pkce]
"""

import os
import sys

from flask import Flask, jsonify, redirect, request, session, url_for
from oauthlib.oauth2 import OAuth2Error
from requests_oauthlib import OAuth2Session

from listen import listen

issuer, client_id, client_secret, *settings = sys.argv[1:]
authorization_base_url = issuer + "/o/authorize/"
token_url = issuer + "/o/token/"
scope = ["openid", "profile", "email"]
pkce = {"pkce": "S256"} if "pkce" in settings else {}
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # the callback of this program is plain HTTP

app = Flask(__name__)
app.secret_key = os.urandom(32)
begun = {}  # by state, since a session of the library keeps the code verifier
tokens = {}


@app.errorhandler(OAuth2Error)
def refused(error):
    return jsonify(error=error.error), 400


@app.get("/login")
def login():
    demo = OAuth2Session(client_id, redirect_uri=url_for("callback", _external=True), scope=scope, **pkce)
    authorization_url, state = demo.authorization_url(authorization_base_url)
    session["oauth_state"] = state
    begun[state] = demo
    return redirect(authorization_url)


@app.get("/callback")
def callback():
    demo = begun.pop(session["oauth_state"])
    token = demo.fetch_token(token_url, client_secret=client_secret or None, authorization_response=request.url)
    tokens[session["oauth_state"]] = token
    return redirect("/")


@app.get("/")
def home():
    token = tokens.get(session.get("oauth_state"))
    if not token:
        return jsonify(error="signed out"), 401
    user = OAuth2Session(client_id, token=token).get(issuer + "/o/userinfo/").json()
    return jsonify(subject=user["sub"], name=user.get("name"), email=user.get("email"))


@app.get("/refresh")
def refresh():
    key = session["oauth_state"]
    old = dict(tokens[key], expires_at=1)  # so that the library refreshes it
    extra = {"client_id": client_id} | ({"client_secret": client_secret} if client_secret else {})
    demo = OAuth2Session(
        client_id,
        token=old,
        auto_refresh_url=token_url,
        auto_refresh_kwargs=extra,
        token_updater=lambda token: tokens.update({key: token}),
    )
    user = demo.get(issuer + "/o/userinfo/").json()
    return jsonify(subject=user["sub"], refreshed=old["access_token"] != tokens[key]["access_token"])


@app.get("/logout")
def logout():
    tokens.pop(session.pop("oauth_state"))
    return jsonify(out=True)


listen(app)
