"""A web application with Authlib's client for Flask, written as its documentation does.

python login_authlib.py ISSUER CLIENT SECRET [NAME=VALUE...], where the last are client_kwargs
"""

import os
import sys
import uuid

from authlib.integrations.flask_client import OAuth, OAuthError
from flask import Flask, jsonify, redirect, session, url_for

from listen import listen

issuer, client_id, client_secret, *more = sys.argv[1:]
tokens = {}  # by session, since a cookie is no place for them


def update_token(name, token, refresh_token=None, access_token=None):
    tokens[session["id"]] = tokens[session["id"]] | token


app = Flask(__name__)
app.secret_key = os.urandom(32)
oauth = OAuth(app, update_token=update_token)
oauth.register(
    "demo",
    client_id=client_id,
    client_secret=client_secret or None,
    server_metadata_url=issuer + "/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile email"} | dict(each.split("=") for each in more),
)


@app.errorhandler(OAuthError)
def refused(error):
    return jsonify(error=error.error), 400


@app.get("/login")
def login():
    return oauth.demo.authorize_redirect(url_for("callback", _external=True))


@app.get("/callback")
def callback():
    token = oauth.demo.authorize_access_token()
    session["id"] = str(uuid.uuid4())
    tokens[session["id"]] = token
    return redirect("/")


@app.get("/")
def home():
    token = tokens.get(session.get("id"))
    if not token:
        return jsonify(error="signed out"), 401
    user = oauth.demo.userinfo(token=token)
    return jsonify(subject=token["userinfo"]["sub"], name=user.get("name"), email=user.get("email"))


@app.get("/refresh")
def refresh():
    token = dict(tokens[session["id"]], expires_at=1)  # so that the library refreshes it
    user = oauth.demo.userinfo(token=token)
    return jsonify(subject=user["sub"], refreshed=token["access_token"] != tokens[session["id"]]["access_token"])


@app.get("/logout")
def logout():
    token = tokens.pop(session.pop("id"))
    return oauth.demo.logout_redirect(
        post_logout_redirect_uri=url_for("goodbye", _external=True), id_token_hint=token["id_token"]
    )


@app.get("/goodbye")
def goodbye():
    oauth.demo.validate_logout_response()
    return jsonify(out=True)


listen(app)
