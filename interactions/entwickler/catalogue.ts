import type { Text } from '../../accounts/town.ts';

/** What a code means to the developer of a service, and what to do. */
export type CatalogueEntry = { readonly cause: Text; readonly remedy: Text };

const entry = (de: [cause: string, remedy: string], en: [cause: string, remedy: string]): CatalogueEntry => ({
  cause: { de: de[0], en: en[0] },
  remedy: { de: de[1], en: en[1] },
});

const SIGN_IN_AGAIN: [string, string] = [
  'Beginnen Sie die Anmeldung am Dienst neu; ohne prompt=none zeigt der Anbieter die nötigen Seiten.',
  'Start the sign-in again at the service; without prompt=none the provider shows the pages that are needed.',
];
const OUR_FAULT: [string, string] = [
  'Versuchen Sie es später noch einmal; bleibt es dabei, nennen Sie uns die Vorgangsnummer.',
  'Try again later; if it stays, tell us the reference.',
];
const OPEN_ANEW: [string, string] = [
  'Öffnen Sie die Anmeldung am Dienst neu, im selben Browser und mit Cookies.',
  'Open the sign-in at the service anew, in the same browser and with cookies.',
];

/** Codes of procedures that are not offered here; they are named so that whoever meets one knows what it belongs to. */
const NOT_OFFERED: Readonly<Record<string, readonly string[]>> = {
  'CIBA (OpenID Connect Client-Initiated Backchannel Authentication)': [
    'expired_login_hint_token',
    'invalid_binding_message',
    'invalid_user_code',
    'missing_user_code',
    'transaction_failed',
    'unknown_user_id',
  ],
  'OpenID4VCI (Verifiable Credentials)': [
    'credential_request_denied',
    'invalid_credential_request',
    'invalid_nonce',
    'invalid_proof',
    'unknown_credential_configuration',
    'unknown_credential_identifier',
  ],
  'OAuth Attestation-Based Client Authentication': [
    'invalid_client_attestation',
    'use_attestation_challenge',
    'use_fresh_attestation',
  ],
  'Rich Authorization Requests (RFC 9396)': ['invalid_authorization_details'],
  'Software Statements (RFC 7591)': ['invalid_software_statement', 'unapproved_software_statement'],
};

const notOffered = (): [code: string, entry: CatalogueEntry][] =>
  Object.entries(NOT_OFFERED).flatMap(([what, codes]) =>
    codes.map((code): [string, CatalogueEntry] => [
      code,
      entry(
        [`Gehört zu ${what}; das bietet dieser Anbieter nicht an.`, 'Benutzen Sie Authorization Code mit PKCE.'],
        [`Belongs to ${what}, which this provider does not offer.`, 'Use authorization code with PKCE.'],
      ),
    ]),
  );

const OFFERED: Readonly<Record<string, CatalogueEntry>> = {
  access_denied: entry(
    [
      'Die Person hat abgebrochen oder eine Angabe nicht freigegeben, die der Dienst verlangt; oder die Anfrage kam ohne scope openid.',
      'Meist kein Fehler: sagen Sie, dass die Anmeldung nicht stattfand, und bieten Sie sie wieder an. Fragen Sie scope=openid an.',
    ],
    [
      'The citizen cancelled, or refused something that the service demands; or the request came without the scope openid.',
      'Mostly no fault: say that no sign-in took place, and offer it again. Ask for scope=openid.',
    ],
  ),
  authorization_pending: entry(
    [
      'Das Gerät fragt, bevor die Person den Code bestätigt hat.',
      'Fragen Sie im Abstand von interval Sekunden weiter.',
    ],
    ['The device asks before the citizen has confirmed the code.', 'Keep asking, interval seconds apart.'],
  ),
  bad_request_target: entry(
    ['Die Anfrage nennt statt eines Pfades eine ganze Adresse.', 'Senden Sie sie nicht wie an einen Proxy.'],
    ['The request names a whole address instead of a path.', 'Do not send it as if to a forward proxy.'],
  ),
  body_too_large: entry(
    ['Die Anfrage ist größer, als die Seite annimmt.', 'Senden Sie weniger; Formulare nehmen 16 KiB an.'],
    ['The request is larger than the page accepts.', 'Send less; forms accept 16 KiB.'],
  ),
  consent_required: entry(
    [
      'prompt=none, aber die Person hat den Angaben noch nicht zugestimmt oder die Registrierung hat sich geändert.',
      SIGN_IN_AGAIN[0],
    ],
    ['prompt=none, but the citizen has not consented yet, or the registration has changed.', SIGN_IN_AGAIN[1]],
  ),
  exchange_not_found: entry(
    ['Der Nachweis der Identität ist abgelaufen oder schon benutzt.', OPEN_ANEW[0]],
    ['The proof of identity has expired or was used already.', OPEN_ANEW[1]],
  ),
  exchange_of_another_browser: entry(
    ['Der Nachweis der Identität wurde in einem anderen Browser begonnen.', OPEN_ANEW[0]],
    ['The proof of identity was begun in another browser.', OPEN_ANEW[1]],
  ),
  expired_token: entry(
    [
      'Der Code des Geräts ist abgelaufen, bevor er bestätigt wurde.',
      'Holen Sie einen neuen Code und zeigen Sie ihn an.',
    ],
    ['The device’s code expired before it was confirmed.', 'Get a new code and show it.'],
  ),
  foreign_origin: entry(
    [
      'Ein Formular des Anbieters wurde von einer anderen Seite gesendet.',
      'Senden Sie Menschen zu /auth; unsere Formulare nehmen nichts von außen an.',
    ],
    [
      'A form of the provider was sent from another site.',
      'Send people to /auth; our forms accept nothing from outside.',
    ],
  ),
  hashing_busy: entry(
    ['Gerade melden sich sehr viele Menschen mit Passwort an.', 'Sekunden später geht es wieder; mit Passkey sofort.'],
    ['Very many people are signing in by password.', 'It works again seconds later; with a passkey at once.'],
  ),
  insufficient_scope: entry(
    [
      'Der Zugriffstoken erlaubt diese Anfrage nicht, zum Beispiel userinfo ohne openid.',
      'Fragen Sie den nötigen scope bei der Anmeldung an.',
    ],
    [
      'The access token does not permit this request, for example userinfo without openid.',
      'Ask for the scope at the sign-in.',
    ],
  ),
  interaction_not_found: entry(
    [
      'Die Anmeldung ist abgelaufen (30 Minuten), fertig, oder gehört einem anderen Browser; oder Cookies fehlen.',
      OPEN_ANEW[0],
    ],
    [
      'The sign-in has expired (30 minutes), is finished, or belongs to another browser; or cookies are missing.',
      OPEN_ANEW[1],
    ],
  ),
  interaction_required: entry(
    ['prompt=none, aber der Anbieter muss der Person etwas zeigen.', SIGN_IN_AGAIN[0]],
    ['prompt=none, but the provider must show the citizen something.', SIGN_IN_AGAIN[1]],
  ),
  invalid_client: entry(
    [
      'Der Dienst ist unbekannt oder hat sich nicht richtig ausgewiesen: falsches Geheimnis, anderes Verfahren als registriert, abgelaufene oder wiederholte Assertion, aud nicht genau der issuer.',
      'Vergleichen Sie client_id und token_endpoint_auth_method mit der Registrierung; prüfen Sie die Uhr; erzeugen Sie je Anfrage eine neue jti; setzen Sie aud auf den issuer, nicht auf den Token-Endpunkt.',
    ],
    [
      'The service is unknown, or did not authenticate properly: wrong secret, another method than registered, an assertion that is too old or used twice, aud not exactly the issuer.',
      'Compare client_id and token_endpoint_auth_method with the registration; check the clock; make a new jti for each request; set aud to the issuer, not to the token endpoint.',
    ],
  ),
  invalid_client_metadata: entry(
    [
      'Die Registrierung enthält etwas, das es hier nicht gibt oder das nicht zusammenpasst.',
      'error_description nennt das Feld; /.well-known/openid-configuration nennt, was geht.',
    ],
    [
      'The registration contains something that does not exist here, or does not fit together.',
      'error_description names the field; /.well-known/openid-configuration says what works.',
    ],
  ),
  invalid_dpop_proof: entry(
    [
      'Der DPoP-Nachweis passt nicht zu Methode (htm), Adresse (htu) oder Token (ath), ist zu alt, vordatiert oder schlecht signiert.',
      'Erzeugen Sie je Anfrage einen neuen; htu ohne Abfrage und mit der Adresse aus der Discovery; prüfen Sie die Uhr.',
    ],
    [
      'The DPoP proof does not match method (htm), address (htu) or token (ath), is too old, dated ahead, or badly signed.',
      'Make a new one for each request; htu without query and with the address from discovery; check the clock.',
    ],
  ),
  invalid_grant: entry(
    [
      'Der Code oder Refresh-Token ist abgelaufen (Code: 60 s), schon benutzt, widerrufen oder gehört zu einem anderen Dienst; oder redirect_uri oder code_verifier passen nicht zur Anfrage.',
      'Lösen Sie jeden Code einmal und sofort ein, mit derselben redirect_uri und dem code_verifier dieser Anmeldung. Ein zweiter Versuch nach 10 s widerruft alles.',
    ],
    [
      'The code or refresh token has expired (code: 60 s), was used already, revoked, or belongs to another service; or redirect_uri or code_verifier do not match the request.',
      'Redeem each code once and at once, with the same redirect_uri and the code_verifier of this very sign-in. A second try after 10 s revokes everything.',
    ],
  ),
  invalid_redirect_uri: entry(
    [
      'Die redirect_uri ist nicht genau so registriert; verglichen wird Zeichen für Zeichen, auch Schrägstrich, Port und Abfrage.',
      'Tragen Sie die Adresse, die gesendet wurde, in redirect_uris ein, oder senden Sie eine registrierte.',
    ],
    [
      'The redirect_uri is not registered exactly like this; it is compared character by character, slash, port and query included.',
      'Put the address that was sent into redirect_uris, or send one that is registered.',
    ],
  ),
  invalid_request: entry(
    [
      'Ein Parameter fehlt, kommt doppelt oder hat einen falschen Wert; am häufigsten fehlt PKCE (code_challenge mit S256).',
      'error_description nennt den Parameter; schalten Sie in Ihrer Bibliothek PKCE mit S256 ein.',
    ],
    [
      'A parameter is missing, comes twice or has a wrong value; most often PKCE is missing (code_challenge with S256).',
      'error_description names the parameter; switch on PKCE with S256 in your library.',
    ],
  ),
  invalid_request_object: entry(
    [
      'Die signierte Anfrage (request) ist unlesbar, falsch signiert, abgelaufen, oder aud ist nicht der issuer.',
      'Signieren Sie mit einem registrierten Schlüssel (ES256, PS256, EdDSA); nbf und exp höchstens 60 Minuten auseinander.',
    ],
    [
      'The signed request (request) cannot be read, is badly signed, has expired, or aud is not the issuer.',
      'Sign with a registered key (ES256, PS256, EdDSA); nbf and exp at most 60 minutes apart.',
    ],
  ),
  invalid_request_uri: entry(
    [
      'Die request_uri ist unbekannt, abgelaufen oder schon benutzt.',
      'Reichen Sie je Anmeldung eine neue Anfrage ein (PAR) und leiten Sie gleich weiter.',
    ],
    [
      'The request_uri is unknown, has expired or was used already.',
      'Push a new request for each sign-in (PAR), and redirect at once.',
    ],
  ),
  invalid_scope: entry(
    [
      'Ein scope gibt es nicht oder er ist dem Dienst nicht erlaubt.',
      'Fragen Sie nur scopes an, die in der Registrierung stehen.',
    ],
    ['A scope does not exist or is not permitted to the service.', 'Ask only for scopes that the registration names.'],
  ),
  invalid_target: entry(
    [
      'resource ist keine registrierte API, oder eine API einer anderen Organisation für eine Bürgerin oder einen Bürger.',
      'Nennen Sie den identifier einer API; fremde APIs nur im eigenen Namen (client_credentials).',
    ],
    [
      'resource is no registered API, or an API of another organisation in a citizen’s name.',
      'Give the identifier of an API; APIs of others only in your own name (client_credentials).',
    ],
  ),
  invalid_token: entry(
    [
      'Der Zugriffstoken ist abgelaufen, widerrufen, unbekannt oder an einen anderen Schlüssel gebunden.',
      'Holen Sie einen neuen; senden Sie ihn im Kopf Authorization, gebundene mit DPoP-Nachweis oder Zertifikat.',
    ],
    [
      'The access token has expired, was revoked, is unknown or bound to another key.',
      'Get a new one; send it in the Authorization header, bound ones with a DPoP proof or certificate.',
    ],
  ),
  letter_visit_not_found: entry(
    ['Das Einlösen eines Briefes ist abgelaufen, fertig, oder gehört einem anderen Browser.', OPEN_ANEW[0]],
    ['The redemption of a letter has expired, is finished, or belongs to another browser.', OPEN_ANEW[1]],
  ),
  login_required: entry(
    [
      'prompt=none, aber niemand ist angemeldet, die Anmeldung ist zu alt (max_age) oder es ist eine andere Person (id_token_hint).',
      SIGN_IN_AGAIN[0],
    ],
    [
      'prompt=none, but nobody is signed in, the sign-in is too old (max_age), or it is another person (id_token_hint).',
      SIGN_IN_AGAIN[1],
    ],
  ),
  malformed_form: entry(
    ['Ein Feld kommt doppelt, als Liste, oder die Kodierung ist falsch.', 'Senden Sie jedes Feld einmal, als UTF-8.'],
    ['A field comes twice, as a list, or the encoding is wrong.', 'Send each field once, as UTF-8.'],
  ),
  not_found: entry(
    ['Diese Adresse gibt es nicht.', 'Lesen Sie die Endpunkte aus /.well-known/openid-configuration.'],
    ['This address does not exist.', 'Read the endpoints from /.well-known/openid-configuration.'],
  ),
  registration_not_supported: entry(
    ['Der Parameter registration gehört zu Self-Issued-Anbietern.', 'Lassen Sie ihn weg.'],
    ['The parameter registration is for self-issued providers.', 'Leave it out.'],
  ),
  request_not_supported: entry(
    [
      'Der Parameter request ist für diesen Dienst nicht vorgesehen.',
      'Senden Sie die Parameter einzeln oder reichen Sie sie ein (PAR).',
    ],
    ['The parameter request is not provided for this service.', 'Send the parameters one by one, or push them (PAR).'],
  ),
  request_uri_not_supported: entry(
    [
      'Der Anbieter ruft keine fremden request_uri ab.',
      'Reichen Sie die Anfrage ein (PAR) und benutzen Sie die request_uri aus der Antwort.',
    ],
    ['The provider fetches no request_uri of others.', 'Push the request (PAR) and use the request_uri of the answer.'],
  ),
  server_error: entry(
    ['Beim Anbieter ist etwas misslungen; der Vorgang ist protokolliert.', OUR_FAULT[0]],
    ['Something went wrong at the provider; it is logged.', OUR_FAULT[1]],
  ),
  slow_down: entry(
    ['Das Gerät fragt zu oft.', 'Verlängern Sie den Abstand um 5 Sekunden.'],
    ['The device asks too often.', 'Wait 5 seconds longer between requests.'],
  ),
  temporarily_unavailable: entry(
    [
      'Der Anbieter erreicht seine Datenbank gerade nicht.',
      'Wiederholen Sie die Anfrage nach Retry-After; nichts ging verloren.',
    ],
    [
      'The provider cannot reach its database at the moment.',
      'Repeat the request after Retry-After; nothing was lost.',
    ],
  ),
  too_many_requests: entry(
    [
      'Von dieser Adresse kamen sehr viele Formulare.',
      'Warten Sie die Zeit aus Retry-After; Testläufe gehören in die Sandbox.',
    ],
    ['Very many forms came from this address.', 'Wait for the time of Retry-After; test runs belong in the sandbox.'],
  ),
  unauthorized_client: entry(
    [
      'Dieses Verfahren ist dem Dienst nicht erlaubt, zum Beispiel client_credentials bei einem Webdienst.',
      'Ändern Sie kind oder refresh_tokens in der Registrierung, oder benutzen Sie das vorgesehene Verfahren.',
    ],
    [
      'This grant is not permitted to the service, for example client_credentials to a web service.',
      'Change kind or refresh_tokens in the registration, or use the grant that it names.',
    ],
  ),
  unknown_field: entry(
    [
      'Das Formular hat ein Feld, das die Seite nicht kennt.',
      'Laden Sie die Seite neu; Erweiterungen des Browsers können Felder hinzufügen.',
    ],
    ['The form has a field that the page does not know.', 'Load the page anew; browser extensions may add fields.'],
  ),
  unknown_host: entry(
    [
      'Die Anfrage kam unter einem anderen Namen als dem des issuer an.',
      'Benutzen Sie die Adressen aus der Discovery; ein Proxy davor muss den Kopf Host unverändert weitergeben.',
    ],
    [
      'The request came by another name than that of the issuer.',
      'Use the addresses from discovery; a proxy in front must pass the Host header on unchanged.',
    ],
  ),
  unmet_authentication_requirements: entry(
    [
      'Das verlangte Vertrauensniveau (acr) wurde in dieser Anmeldung nicht erreicht.',
      'Verlangen Sie ein niedrigeres Niveau, oder erklären Sie, wie man das höhere erreicht.',
    ],
    [
      'The level of assurance asked for (acr) was not reached in this sign-in.',
      'Ask for a lower level, or explain how to reach the higher one.',
    ],
  ),
  unsupported_grant_type: entry(
    [
      'Diesen grant_type gibt es hier nicht (password und implicit gibt es nie).',
      'Benutzen Sie authorization_code mit PKCE.',
    ],
    ['This grant_type does not exist here (password and implicit never do).', 'Use authorization_code with PKCE.'],
  ),
  unsupported_media_type: entry(
    ['Ein Formular kam nicht als application/x-www-form-urlencoded.', 'Setzen Sie den Content-Type.'],
    ['A form did not come as application/x-www-form-urlencoded.', 'Set the Content-Type.'],
  ),
  unsupported_response_mode: entry(
    ['Diesen response_mode gibt es nicht.', 'Benutzen Sie query, form_post oder jwt.'],
    ['This response_mode does not exist.', 'Use query, form_post or jwt.'],
  ),
  unsupported_response_type: entry(
    ['Es gibt nur response_type=code.', 'Stellen Sie Ihre Bibliothek auf Authorization Code mit PKCE.'],
    ['There is response_type=code only.', 'Set your library to authorization code with PKCE.'],
  ),
  unsupported_token_type: entry(
    [
      'Diese Art von Token kann hier nicht geprüft oder widerrufen werden, zum Beispiel ein JWT.',
      'Prüfen Sie JWT mit den Schlüsseln aus jwks_uri; sie enden nach fünf Minuten von selbst.',
    ],
    [
      'This kind of token cannot be introspected or revoked here, for example a JWT.',
      'Check JWTs with the keys of jwks_uri; they end after five minutes by themselves.',
    ],
  ),
  use_dpop_nonce: entry(
    ['Der DPoP-Nachweis braucht die nonce aus dem Kopf DPoP-Nonce.', 'Wiederholen Sie die Anfrage mit dieser nonce.'],
    ['The DPoP proof needs the nonce of the DPoP-Nonce header.', 'Repeat the request with that nonce.'],
  ),
  wrong_form_token: entry(
    ['Das Formular gehört zu einer anderen oder abgelaufenen Seite.', OPEN_ANEW[0]],
    ['The form belongs to another page, or one that has expired.', OPEN_ANEW[1]],
  ),
};

/**
 * Every code that an error page or a JSON error of the provider can carry. oidc-provider's own codes are those of the
 * standards; a test produces each, and holds the table against its error classes and our source.
 */
export const ERROR_CATALOGUE: Readonly<Record<string, CatalogueEntry>> = {
  ...OFFERED,
  ...Object.fromEntries(notOffered()),
};

/** The address of a code's entry, on this provider. */
export const catalogueAddress = (code: string): string | undefined =>
  Object.hasOwn(ERROR_CATALOGUE, code) ? `/entwickler/fehler#${code}` : undefined;
