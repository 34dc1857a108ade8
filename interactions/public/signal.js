// Keeps the browser's own list of passkeys in line with ours: what is gone is offered no more, names are the current ones.

for (const place of document.querySelectorAll('[data-signals]')) {
  for (const [method, options] of Object.entries(JSON.parse(place.dataset.signals))) {
    // Not in every browser, and it may refuse: then its list stays as it is.
    globalThis.PublicKeyCredential?.[method]?.(options).catch(() => {});
  }
}
