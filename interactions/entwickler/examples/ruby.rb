# gem install omniauth_openid_connect sinatra rackup puma     Run: ruby ruby.rb -p 8080
require "json"
require "sinatra"
require "omniauth_openid_connect"

base = ENV.fetch("BASE", "http://localhost:8080")
enable :sessions
set :session_secret, ENV.fetch("COOKIE_SECRET") # 64 characters or more
use OmniAuth::Builder do
  provider :openid_connect, {
    name: :city,
    issuer: ENV.fetch("ISSUER"),
    discovery: true,
    pkce: true,
    scope: %i[openid email],
    uid_field: "sub",
    client_options: {
      identifier: ENV.fetch("CLIENT_ID"),
      secret: ENV.fetch("CLIENT_SECRET"),
      redirect_uri: "#{base}/auth/city/callback",
    },
  }
end

get "/" do # OmniAuth takes a form with a token only, so that no other site starts a sign-in
  token = Rack::Protection::AuthenticityToken.token(session)
  %(<form method="post" action="/auth/city"><input type="hidden" name="authenticity_token" value="#{token}">
    <button>Anmelden</button></form>)
end

get "/auth/city/callback" do # state, nonce, signature, issuer and audience are checked by now
  citizen = request.env["omniauth.auth"]
  session[:sub] = citizen.uid
  session[:id_token] = citizen.credentials.id_token
  content_type :json
  citizen.extra.raw_info.to_json
end

get "/logout" do # OmniAuth's own sends no id_token_hint, without which nobody is led back
  hint = { id_token_hint: session.delete(:id_token), post_logout_redirect_uri: "#{base}/bye" }
  session.clear
  redirect "#{ENV.fetch("ISSUER")}/session/end?#{URI.encode_www_form(hint)}"
end

get("/bye") { { bye: true }.to_json }
