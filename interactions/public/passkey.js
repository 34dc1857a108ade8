// Passkeys: sign-in by autofill and by button, creation by button. The library stands before this file in the page.

const { startAuthentication, startRegistration, browserSupportsWebAuthn, browserSupportsWebAuthnAutofill } =
  globalThis.SimpleWebAuthnBrowser;

/** Asks the server for the options of one new ceremony; `identifier` names the passkeys for keys that keep none. */
async function begin(place, identifier) {
  const token = place.querySelector('input[name=token]').value;
  const answer = await fetch(place.dataset.options, {
    method: 'POST',
    body: new URLSearchParams(identifier === '' ? { token } : { token, identifier }),
    credentials: 'same-origin',
    redirect: 'manual',
  });
  // Another page is due by now, for example because of another tab.
  if (answer.type === 'opaqueredirect') globalThis.location.reload();
  if (!answer.ok) throw new Error(`options: ${answer.status}`);
  return answer.json();
}

/** Runs a ceremony and sends its result as a form, so that the answer is a page. */
async function run(place, options = {}) {
  const form = place.querySelector('form');
  const automatic = options.useBrowserAutofill === true || place.dataset.passkey === 'creation';
  const identifier = automatic ? '' : (document.querySelector('input[name=identifier]')?.value.trim() ?? '');
  const { options: optionsJSON, ceremony } = await begin(place, identifier);
  const start = place.dataset.passkey === 'creation' ? startRegistration : startAuthentication;
  const response = await start({ optionsJSON, ...options });
  if (form.elements.shared !== undefined) {
    form.elements.shared.value = document.querySelector('input[type=checkbox][name=shared]')?.checked ? 'yes' : '';
  }
  form.elements.ceremony.value = ceremony;
  form.elements.response.value = JSON.stringify(response);
  form.submit();
}

function offer(place) {
  const form = place.querySelector('form');
  const button = form.querySelector('button');
  const message = place.querySelector('.ss-message');
  place.hidden = false;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    message.hidden = true;
    button.disabled = true;
    try {
      await run(place);
    } catch {
      message.textContent = place.dataset.aborted;
      message.hidden = false;
      button.disabled = false;
      if (place.dataset.passkey === 'sign-in') void autofill(place);
    }
  });
}

/** Offers passkeys in the identifier field; waits silently until the citizen picks one, or does something else. */
async function autofill(place) {
  try {
    if (await browserSupportsWebAuthnAutofill()) await run(place, { useBrowserAutofill: true });
  } catch {
    // Ended by the button, or refused by the browser: the page has the button and the password as well.
  }
}

/** Right after a sign-in by password some browsers make a passkey without asking again (conditional create). */
async function createQuietly(place) {
  try {
    const capabilities = await globalThis.PublicKeyCredential.getClientCapabilities?.();
    if (capabilities?.conditionalCreate) await run(place, { useAutoRegister: true });
  } catch {
    // Not possible here: the page has the button.
  }
}

if (browserSupportsWebAuthn()) {
  for (const input of document.querySelectorAll('input[name=capable]')) input.value = 'yes';
  for (const place of document.querySelectorAll('[data-passkey]')) {
    offer(place);
    if (place.dataset.passkey === 'sign-in') void autofill(place);
    if (place.dataset.automatic !== undefined) void createQuietly(place);
  }
  for (const element of document.querySelectorAll('[data-without-passkey]')) element.remove();
}
