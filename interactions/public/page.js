// What script adds to plain pages: passwords can be made visible, pages printed. Everything works without it.

for (const button of document.querySelectorAll('button[data-show]')) {
  const input = document.getElementById(button.dataset.show);
  const label = button.querySelector('.kern-label');
  const showLabel = label.textContent;
  button.hidden = false;
  button.addEventListener('click', () => {
    const visible = input.type === 'password';
    input.type = visible ? 'text' : 'password';
    button.setAttribute('aria-pressed', String(visible));
    label.textContent = visible ? button.dataset.hideLabel : showLabel;
  });
  // Browsers remember the text of visible fields; a password goes out as a password.
  input.form.addEventListener('submit', () => {
    input.type = 'password';
  });
}

for (const button of document.querySelectorAll('button[data-take]')) {
  button.hidden = false;
  button.addEventListener('click', () => {
    const text = document.getElementById(button.dataset.take).textContent;
    for (const id of button.dataset.into.split(' ')) {
      document.getElementById(id).value = text;
      // Shown, so that it can be written down as it was taken.
      document.querySelector(`button[data-show="${id}"][aria-pressed=false]`)?.click();
    }
  });
}

for (const button of document.querySelectorAll('button[data-print]')) {
  button.hidden = false;
  button.addEventListener('click', () => globalThis.print());
}

for (const element of document.querySelectorAll('[data-without-script]')) element.remove();

// Scrolled to by its `autofocus`, but some browsers give the focus to nothing but inputs.
document.getElementById('error-summary')?.focus();
