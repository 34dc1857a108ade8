// net.openid:appauth; kind: native, token_endpoint_auth_method: none; redirect by a claimed https address (App Link)
AuthorizationServiceConfiguration.fetchFromIssuer(Uri.parse(ISSUER)) { configuration, _ ->
    val request = AuthorizationRequest.Builder(
        configuration!!, CLIENT_ID, ResponseTypeValues.CODE, Uri.parse("https://app.dienst.example/callback")
    ).setScope("openid").build() // AppAuth adds PKCE (S256), state and nonce
    launcher.launch(AuthorizationService(this).getAuthorizationRequestIntent(request))
}
