"""The portal's example for Python, with a page that asks for new tokens."""

import os
from authlib.integrations.requests_client import OAuth2Session
from python import app, city


def remember(**kwargs):
    token = authorize(**kwargs)
    tokens.update(token)
    return token


tokens = {}
authorize = city.authorize_access_token
city.authorize_access_token = remember


@app.get("/refresh")
def refresh():
    metadata = city.load_server_metadata()
    client = OAuth2Session(os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
    fresh = client.refresh_token(metadata["token_endpoint"], refresh_token=tokens["refresh_token"])
    return {"refreshed": fresh["access_token"] != tokens["access_token"], **city.userinfo(token=fresh)}
