// The QR code of a letter brings its code along in the fragment, which no server and no log gets to see.

const input = document.getElementById('code');
const code = decodeURIComponent(globalThis.location.hash.slice(1));
if (input && input.value === '' && /^[0-9A-Za-z-]{20,30}$/.test(code)) input.value = code;
if (code !== '') globalThis.history.replaceState(null, '', globalThis.location.pathname);
