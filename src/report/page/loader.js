(async () => {
  const text = /** @type {HTMLElement} */ (document.getElementById('code')).textContent;
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  const script = document.createElement('script');
  script.textContent = await new Response(stream).text();
  document.head.append(script);
})().catch((error) => {
  const status = /** @type {HTMLElement} */ (document.getElementById('status'));
  status.textContent = 'This browser cannot show the page: ' + error;
});
