# pip install authlib flask requests     Run: flask --app python run -p 8080
import os
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
    return city.userinfo(token=token)
