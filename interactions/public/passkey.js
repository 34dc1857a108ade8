// Passkeys: sign-in by autofill and by button, creation by button. The library stands before this file in the page.

const { startAuthentication, startRegistration, browserSupportsWebAuthn, browserSupportsWebAuthnAutofill } =
  globalThis.SimpleWebAuthnBrowser;

/** Asks the server for the options of one new ceremony. */
async function begin(place) {
  const token = place.querySelector('input[name=token]').value;
  const answer = await fetch(place.dataset.options, {
    method: 'POST',
    body: new URLSearchParams({ token }),
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
  const { options: optionsJSON, ceremony } = await begin(place);
  const start = place.dataset.passkey === 'creation' ? startRegistration : startAuthentication;
  const response = await start({ optionsJSON, ...options });
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

if (browserSupportsWebAuthn()) {
  for (const place of document.querySelectorAll('[data-passkey]')) {
    offer(place);
    if (place.dataset.passkey === 'sign-in') void autofill(place);
  }
  for (const element of document.querySelectorAll('[data-without-passkey]')) element.remove();
}
