// Tells the browser which passkeys are still good, so that it does not go on offering those that were removed here.

const place = document.querySelector('[data-signal]');
if (place !== null && globalThis.PublicKeyCredential?.signalAllAcceptedCredentials !== undefined) {
  globalThis.PublicKeyCredential.signalAllAcceptedCredentials(JSON.parse(place.dataset.signal)).catch(() => {
    // The browser may refuse; then its list stays as it is.
  });
}
