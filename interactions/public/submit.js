// Sends the one form of the page; without script its button does.
document.querySelector('main form')?.submit();
