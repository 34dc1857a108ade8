# gem install omniauth_openid_connect; redirect URI: https://dienst.example/auth/city/callback
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
      redirect_uri: "https://dienst.example/auth/city/callback",
    },
  }
end
