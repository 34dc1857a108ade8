# pip install authlib flask requests     Run: flask --app python run -p 8080
import os
from urllib.parse import urlencode
from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, session, url_for

app = Flask(__name__)
app.secret_key = os.environ["COOKIE_SECRET"]
city = OAuth(app).register(
    "city",
    server_metadata_url=os.environ["ISSUER"] + "/.well-known/openid-configuration",
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
    client_kwargs={"scope": "openid email", "code_challenge_method": "S256"},
)

@app.get("/")
def start():
    return city.authorize_redirect(url_for("callback", _external=True))

@app.get("/callback")
def callback():
    token = city.authorize_access_token()  # checks state, nonce, signature, issuer and audience
    session["sub"] = token["userinfo"]["sub"]
    session["id_token"] = token["id_token"]
    return city.userinfo(token=token)

@app.get("/logout")
def logout():
    end = city.load_server_metadata()["end_session_endpoint"]
    hint = {"id_token_hint": session.pop("id_token"), "post_logout_redirect_uri": url_for("bye", _external=True)}
    session.clear()
    return redirect(end + "?" + urlencode(hint))

@app.get("/bye")
def bye():
    return {"bye": True}
