import type { Cause, Facts } from './client-failures.ts';

type Language = 'de' | 'en';
type Words = readonly [what: string, todo: string];

/** What each cause means to a service's developer, and what to do. */
const TEXTS: Readonly<Record<Cause, Readonly<Record<Language, Words>>>> = {
  'redirect-uri': {
    de: [
      'Die gesendete redirect_uri ist nicht registriert.',
      'Tragen Sie die gesendete Adresse genau so in redirect_uris ein, oder stellen Sie im Dienst eine registrierte ein.',
    ],
    en: [
      'The redirect_uri that was sent is not registered.',
      'Register the address exactly as it is sent, or set a registered one in the service.',
    ],
  },
  'logout-uri': {
    de: [
      'Die post_logout_redirect_uri ist nicht registriert.',
      'Tragen Sie die gesendete Adresse genau so in post_logout_redirect_uris ein.',
    ],
    en: [
      'The post_logout_redirect_uri is not registered.',
      'Register the address exactly as it is sent, in post_logout_redirect_uris.',
    ],
  },
  'cors-origin': {
    de: [
      'Eine Seite dieser Herkunft darf den Anbieter nicht aus dem Browser ansprechen.',
      'Tragen Sie die Herkunft (Schema, Host, Port, ohne Pfad) in cors_origins ein.',
    ],
    en: [
      'A page of this origin may not call the provider from the browser.',
      'Register the origin (scheme, host, port, no path) in cors_origins.',
    ],
  },
  'pkce-missing': {
    de: [
      'Die Anfrage kam ohne PKCE (code_challenge).',
      'Schalten Sie in Ihrer Bibliothek PKCE mit S256 ein. Kann das Produkt es nicht: pkce_exemption mit Grund und Enddatum beantragen.',
    ],
    en: [
      'The request came without PKCE (code_challenge).',
      'Switch on PKCE with S256 in your library. If the product cannot: ask for a pkce_exemption with reason and end.',
    ],
  },
  'pkce-method': {
    de: ['Die code_challenge_method ist nicht S256.', 'Stellen Sie code_challenge_method auf S256.'],
    en: ['The code_challenge_method is not S256.', 'Set code_challenge_method to S256.'],
  },
  'pkce-verifier': {
    de: [
      'Der code_verifier fehlt oder passt nicht zur code_challenge dieser Anmeldung.',
      'Bewahren Sie den Verifier je Anmeldung auf (nicht je Browser oder global) und senden Sie ihn beim Einlösen.',
    ],
    en: [
      'The code_verifier is missing or does not match the code_challenge of this sign-in.',
      'Keep the verifier for each sign-in (not for each browser, not globally), and send it when redeeming.',
    ],
  },
  'parameter-missing': {
    de: ['Ein nötiger Parameter fehlt.', 'Ergänzen Sie die genannten Parameter.'],
    en: ['A parameter is missing.', 'Add the parameters named.'],
  },
  parameter: {
    de: [
      'Ein Parameter hat einen falschen Wert oder passt nicht zu den anderen.',
      'Lesen Sie die Meldung; sie nennt den Parameter.',
    ],
    en: ['A parameter has a wrong value, or does not fit the others.', 'The message names the parameter.'],
  },
  scope: {
    de: [
      'Ein scope ist unbekannt oder dem Dienst nicht erlaubt.',
      'Fragen Sie nur registrierte scopes an; openid gehört immer dazu.',
    ],
    en: [
      'A scope is unknown, or not permitted to the service.',
      'Ask for registered scopes only; openid is always one of them.',
    ],
  },
  'scope-missing': {
    de: [
      'Die Anfrage kam ohne scope openid.',
      'Fragen Sie scope=openid an, dazu die scopes der Angaben, die der Dienst braucht.',
    ],
    en: [
      'The request came without the scope openid.',
      'Ask for scope=openid, and the scopes of the claims that the service needs.',
    ],
  },
  'response-type': {
    de: ['Dieser response_type ist nicht erlaubt.', 'Es gibt nur response_type=code (mit PKCE).'],
    en: ['This response_type is not permitted.', 'There is response_type=code only (with PKCE).'],
  },
  'response-mode': {
    de: ['Dieser response_mode ist nicht erlaubt.', 'Benutzen Sie query oder form_post, mit Message Signing jwt.'],
    en: ['This response_mode is not permitted.', 'Use query or form_post; jwt with message signing.'],
  },
  'grant-type': {
    de: [
      'Dieser grant_type ist für den Dienst nicht vorgesehen.',
      'Ändern Sie kind oder refresh_tokens in der Registrierung, oder benutzen Sie das vorgesehene Verfahren.',
    ],
    en: [
      'This grant_type is not provided for the service.',
      'Change kind or refresh_tokens in the registration, or use the grant that it names.',
    ],
  },
  resource: {
    de: [
      'resource ist keine API, die der Dienst ansprechen darf.',
      'Nennen Sie den identifier einer registrierten API.',
    ],
    en: ['resource is no API that the service may call.', 'Give the identifier of a registered API.'],
  },
  'par-missing': {
    de: [
      'Der Dienst muss Anfragen vorab einreichen (PAR).',
      'Schalten Sie PAR ein; ohne geht es mit security_profile nicht.',
    ],
    en: ['The service must push its requests (PAR).', 'Switch on PAR; security_profile demands it.'],
  },
  'request-object-missing': {
    de: [
      'Der Dienst muss Anfragen signieren (JAR).',
      'Signieren Sie die Anfrage; signed_requests oder das Profil verlangen es.',
    ],
    en: ['The service must sign its requests (JAR).', 'Sign the request; signed_requests or the profile demands it.'],
  },
  'request-object': {
    de: [
      'Die signierte Anfrage wird nicht angenommen.',
      'Prüfen Sie Schlüssel (kid), Verfahren, iss, aud und Uhr; nbf und exp höchstens 60 Minuten auseinander.',
    ],
    en: [
      'The signed request is not accepted.',
      'Check key (kid), algorithm, iss, aud and clock; nbf and exp at most 60 minutes apart.',
    ],
  },
  'request-uri': {
    de: ['Die request_uri ist unbekannt, abgelaufen oder benutzt.', 'Reichen Sie je Anmeldung eine neue Anfrage ein.'],
    en: ['The request_uri is unknown, expired or used.', 'Push a new request for each sign-in.'],
  },
  'auth-missing': {
    de: [
      'Der Dienst hat sich nicht ausgewiesen, oder auf mehrere Arten zugleich.',
      'Benutzen Sie genau das registrierte Verfahren.',
    ],
    en: ['The service did not authenticate, or in several ways at once.', 'Use the registered method, and only that.'],
  },
  'auth-method': {
    de: [
      'Der Dienst weist sich anders aus, als registriert ist.',
      'Stellen Sie das Verfahren in der Bibliothek um oder ändern Sie token_endpoint_auth_method.',
    ],
    en: [
      'The service authenticates in another way than registered.',
      'Change the method in the library, or token_endpoint_auth_method in the registration.',
    ],
  },
  'secret-wrong': {
    de: [
      'Das Geheimnis ist keines der gültigen.',
      'Kopieren Sie es neu, ohne Leerzeichen und Anführungszeichen. Ist es verloren: client rotate-secret.',
    ],
    en: [
      'The secret is none of those in force.',
      'Copy it anew, without blanks and quotes. If it is lost: client rotate-secret.',
    ],
  },
  'secret-ended': {
    de: [
      'Das Geheimnis war gültig und ist durch zwei neuere ersetzt.',
      'Tragen Sie das neueste ein; ist es verloren: client rotate-secret.',
    ],
    en: [
      'The secret was good once and has been replaced by two newer ones.',
      'Put in the newest; if it is lost: client rotate-secret.',
    ],
  },
  'assertion-time': {
    de: [
      'Die Assertion ist abgelaufen oder vordatiert: Die Uhr des Dienstes geht falsch, oder sie wird zu lange aufbewahrt.',
      'Stellen Sie die Uhr (NTP) und erzeugen Sie je Anfrage eine neue Assertion mit exp in höchstens 60 Sekunden.',
    ],
    en: [
      'The assertion has expired or is dated ahead: the service’s clock is wrong, or it is kept too long.',
      'Set the clock (NTP), and make a new assertion for each request, with exp in at most 60 seconds.',
    ],
  },
  'assertion-audience': {
    de: [
      'aud der Assertion ist nicht genau der issuer; viele Bibliotheken nehmen die Adresse des Token-Endpunkts.',
      'Setzen Sie aud auf den issuer, als einzelne Zeichenkette, ohne Pfad (Authlib: PrivateKeyJWT(issuer); Spring: setJwtClientAssertionCustomizer). Kann das Produkt es nicht: audience_exemption mit Grund und Enddatum beantragen.',
    ],
    en: [
      'aud of the assertion is not exactly the issuer; many libraries take the address of the token endpoint.',
      'Set aud to the issuer, as one string, without a path (Authlib: PrivateKeyJWT(issuer); Spring: setJwtClientAssertionCustomizer). If the product cannot: ask for an audience_exemption with reason and end.',
    ],
  },
  'assertion-issuer': {
    de: ['iss und sub der Assertion müssen die client_id sein.', 'Setzen Sie beide auf die client_id.'],
    en: ['iss and sub of the assertion must be the client_id.', 'Set both to the client_id.'],
  },
  'assertion-algorithm': {
    de: ['Das Signaturverfahren der Assertion geht nicht.', 'Signieren Sie mit ES256, PS256 oder EdDSA.'],
    en: ['The assertion’s algorithm does not work here.', 'Sign with ES256, PS256 or EdDSA.'],
  },
  'assertion-key': {
    de: [
      'Kein registrierter Schlüssel hat die kid der Assertion.',
      'Registrieren Sie den öffentlichen Schlüssel (jwks), oder veröffentlichen Sie ihn unter jwks_uri, bevor er benutzt wird.',
    ],
    en: [
      'No registered key has the kid of the assertion.',
      'Register the public key (jwks), or publish it at jwks_uri before it is used.',
    ],
  },
  'assertion-signature': {
    de: ['Die Signatur der Assertion stimmt nicht.', 'Gehört der private Schlüssel zum registrierten öffentlichen?'],
    en: ['The assertion’s signature is wrong.', 'Does the private key belong to the registered public one?'],
  },
  'assertion-replayed': {
    de: ['Die Assertion wurde schon benutzt (jti).', 'Erzeugen Sie je Anfrage eine neue, auch beim Wiederholen.'],
    en: ['The assertion was used before (jti).', 'Make a new one for each request, also when retrying.'],
  },
  'assertion-malformed': {
    de: ['Die Assertion ist unlesbar oder unvollständig.', 'Sie braucht iss, sub, aud, exp, iat und jti.'],
    en: ['The assertion cannot be read or is incomplete.', 'It needs iss, sub, aud, exp, iat and jti.'],
  },
  certificate: {
    de: [
      'Das Zertifikat des Dienstes fehlt oder ist nicht das registrierte.',
      'Rufen Sie die Adressen aus mtls_endpoint_aliases auf, mit dem registrierten Zertifikat.',
    ],
    en: [
      'The service’s certificate is missing, or not the registered one.',
      'Call the addresses in mtls_endpoint_aliases, with the registered certificate.',
    ],
  },
  'code-unknown': {
    de: [
      'Den Code gibt es nicht (mehr).',
      'Lösen Sie ihn unverändert, sofort und beim richtigen Anbieter ein; achten Sie auf die URL-Kodierung.',
    ],
    en: [
      'There is no such code (any more).',
      'Redeem it unchanged, at once, at the right provider; mind the URL encoding.',
    ],
  },
  'code-used': {
    de: [
      'Der Code wurde schon eingelöst.',
      'Lösen Sie jeden Code nur einmal ein: Lädt der Browser die Rückkehrseite doppelt, oder gibt es zwei Server ohne gemeinsame Sitzung?',
    ],
    en: [
      'The code was redeemed already.',
      'Redeem each code once: does the browser load the callback twice, or are there two servers without a common session?',
    ],
  },
  'code-expired': {
    de: ['Der Code war älter als 60 Sekunden.', 'Lösen Sie ihn sofort beim Rücksprung ein.'],
    en: ['The code was older than 60 seconds.', 'Redeem it at once, at the callback.'],
  },
  'code-redirect-uri': {
    de: [
      'Beim Einlösen kam eine andere redirect_uri als bei der Anfrage.',
      'Senden Sie an /token genau dieselbe redirect_uri; hinter einem Proxy stimmen oft Schema oder Host nicht.',
    ],
    en: [
      'The redirect_uri at the token endpoint is not that of the request.',
      'Send the very same one to /token; behind a proxy, scheme or host often differ.',
    ],
  },
  'other-client': {
    de: ['Code oder Token gehören zu einem anderen Dienst.', 'Benutzen Sie dieselbe client_id wie bei der Anfrage.'],
    en: ['Code or token belong to another service.', 'Use the same client_id as in the request.'],
  },
  'refresh-unknown': {
    de: ['Den Refresh-Token gibt es nicht (mehr).', 'Beginnen Sie die Anmeldung neu.'],
    en: ['There is no such refresh token (any more).', 'Start the sign-in anew.'],
  },
  'refresh-expired': {
    de: ['Der Refresh-Token ist abgelaufen.', 'Beginnen Sie die Anmeldung neu; das ist nach 30 Tagen der normale Weg.'],
    en: ['The refresh token has expired.', 'Start the sign-in anew; after 30 days that is the normal way.'],
  },
  'refresh-used': {
    de: [
      'Der Refresh-Token wurde schon gegen einen neuen getauscht.',
      'Speichern Sie nach jedem Tausch den neuen, bevor der alte wieder benutzt werden kann; erneuern Sie nicht parallel.',
    ],
    en: [
      'The refresh token was exchanged for a new one already.',
      'Store the new one after each exchange before the old can be used again; do not refresh in parallel.',
    ],
  },
  'grant-ended': {
    de: [
      'Die Freigabe hinter Code oder Token besteht nicht mehr.',
      'Kein Fehler des Dienstes: beginnen Sie die Anmeldung neu.',
    ],
    en: ['What was granted behind the code or token has ended.', 'No fault of the service: start the sign-in anew.'],
  },
  'dpop-missing': {
    de: ['Der DPoP-Nachweis fehlt.', 'Der Dienst ist mit bound_tokens: dpop registriert; senden Sie den Kopf DPoP.'],
    en: ['The DPoP proof is missing.', 'The service is registered with bound_tokens: dpop; send the DPoP header.'],
  },
  'dpop-time': {
    de: [
      'Der DPoP-Nachweis ist zu alt oder vordatiert.',
      'Stellen Sie die Uhr (NTP); erzeugen Sie je Anfrage einen neuen Nachweis.',
    ],
    en: ['The DPoP proof is too old or dated ahead.', 'Set the clock (NTP); make a new proof for each request.'],
  },
  'dpop-address': {
    de: [
      'htu oder htm des DPoP-Nachweises passen nicht zur Anfrage.',
      'htu ist die Adresse aus der Discovery, ohne Abfrage.',
    ],
    en: ['htu or htm of the DPoP proof do not match the request.', 'htu is the address from discovery, without query.'],
  },
  'dpop-key': {
    de: [
      'Der DPoP-Nachweis ist mit einem anderen Schlüssel gemacht.',
      'Benutzen Sie durchgehend den Schlüssel der Anmeldung.',
    ],
    en: ['The DPoP proof is made with another key.', 'Use the key of the sign-in throughout.'],
  },
  'dpop-malformed': {
    de: [
      'Der DPoP-Nachweis ist unvollständig oder falsch signiert.',
      'Er braucht jti, htm, htu, iat und beim Zugriff ath.',
    ],
    en: ['The DPoP proof is incomplete or badly signed.', 'It needs jti, htm, htu, iat, and ath with an access token.'],
  },
  token: {
    de: [
      'Der Zugriffstoken wird nicht angenommen.',
      'Er gilt zehn Minuten; holen Sie einen neuen und senden Sie ihn im Kopf Authorization.',
    ],
    en: [
      'The access token is not accepted.',
      'It is good for ten minutes; get a new one and send it in the Authorization header.',
    ],
  },
  other: {
    de: ['Die Anfrage wurde abgelehnt.', 'Der Fehlerkatalog unter /entwickler/fehler erklärt den Code.'],
    en: ['The request was refused.', 'The catalogue at /entwickler/fehler explains the code.'],
  },
};

const LABELS: Readonly<Record<string, Readonly<Record<Language, string>>>> = {
  sent: { de: 'gesendet', en: 'sent' },
  expected: { de: 'erwartet', en: 'expected' },
  registered: { de: 'registriert', en: 'registered' },
  differs: { de: 'Unterschied', en: 'difference' },
  message: { de: 'Meldung', en: 'message' },
  missing: { de: 'fehlt', en: 'missing' },
  skewSeconds: {
    de: 'Sekunden, die die Uhr des Dienstes vorgeht',
    en: 'seconds by which the service’s clock is ahead',
  },
  length: { de: 'Zeichen gesendet', en: 'characters sent' },
  expectedLength: { de: 'Zeichen erwartet', en: 'characters expected' },
  looks: { de: 'auffällig', en: 'striking' },
  endedOn: { de: 'ersetzt am', en: 'replaced on' },
};

const VALUES: Readonly<Record<string, Readonly<Record<Language, string>>>> = {
  slash: { de: 'Schrägstrich am Ende', en: 'slash at the end' },
  case: { de: 'Groß- und Kleinschreibung', en: 'upper and lower case' },
  scheme: { de: 'Schema (http/https)', en: 'scheme (http/https)' },
  host: { de: 'Host', en: 'host' },
  port: { de: 'Port', en: 'port' },
  path: { de: 'Pfad', en: 'path' },
  query: { de: 'Abfrage', en: 'query' },
  blanks: { de: 'Leerzeichen oder Zeilenende am Rand', en: 'blanks or a line end at the edge' },
  encoded: { de: 'Zeichen, die es in Geheimnissen hier nicht gibt', en: 'characters that secrets here do not have' },
  'client-id': { de: 'es ist die client_id', en: 'it is the client_id' },
};

export type Described = {
  readonly what: string;
  readonly todo: string;
  readonly facts: readonly (readonly [label: string, value: string])[];
};

/** A failure in the developer's words. */
export const describe = (failure: { readonly cause: Cause; readonly facts: Facts }, language: Language): Described => {
  const [what, todo] = (TEXTS[failure.cause] ?? TEXTS.other)[language];
  const value = (one: string | number): string => VALUES[one]?.[language] ?? String(one);
  return {
    what,
    todo,
    facts: Object.entries(failure.facts).map(([name, fact]) => [
      LABELS[name]?.[language] ?? name,
      Array.isArray(fact) ? fact.map(value).join(', ') : value(fact as string | number),
    ]),
  };
};
