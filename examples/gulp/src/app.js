// Nobody needs to read this in a browser.
console.log("ahoy");
