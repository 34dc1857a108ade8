// Asks this device whether AusweisApp runs. Best effort: an answer of any kind means yes, and nothing waits for it.

const section = document.querySelector('[data-eid-status]');
const note = document.querySelector('[data-eid-missing]');
const PATIENCE_MILLISECONDS = 2000;

fetch(section.dataset.eidStatus, { mode: 'no-cors', signal: AbortSignal.timeout(PATIENCE_MILLISECONDS) }).then(
  () => {
    section.hidden = true;
  },
  () => {
    note.hidden = false;
  },
);
