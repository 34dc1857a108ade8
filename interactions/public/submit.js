// Sends the one form of the page; without script its button does.
const form = document.querySelector('main form');
if (form) form.submit();
