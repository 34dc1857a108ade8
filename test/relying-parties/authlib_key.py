"""Redeems a code by a key instead of a secret; `AUDIENCE` empty: as Authlib does by itself."""

import json
import os

from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT

issuer = os.environ["ISSUER"]
session = OAuth2Session(
    os.environ["CLIENT_ID"],
    os.environ["KEY"],
    token_endpoint_auth_method="private_key_jwt",
    redirect_uri=os.environ["BASE"] + "/callback",
)
session.register_client_auth_method(PrivateKeyJWT(os.environ["AUDIENCE"] or None, alg="ES256"))
try:
    token = session.fetch_token(issuer + "/token", code=os.environ["CODE"], code_verifier=os.environ["VERIFIER"])
    print(json.dumps(session.get(issuer + "/userinfo").json() | {"type": token["token_type"]}))
except Exception as error:  # the test reads what it was
    print(json.dumps({"error": getattr(error, "error", str(error))}))
