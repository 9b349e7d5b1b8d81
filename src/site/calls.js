/** Hides the rows of the table of calls that do not have every word. */
const search = /** @type {HTMLInputElement} */ (document.getElementById('search'));
const wordsIn = (/** @type {string} */ text) => text.toLowerCase().match(/[\w.<=]+/g) ?? [];
const rows = [...document.querySelectorAll('tr')].slice(1).map((row) => ({
  row,
  words: new Set([...row.cells].flatMap((cell) => wordsIn(cell.textContent))),
}));
const count = /** @type {HTMLElement} */ (document.getElementById('count'));
search.addEventListener('input', () => {
  const wanted = wordsIn(search.value);
  // A number is meant as a whole, a name can be begun.
  const has = (/** @type {Set<string>} */ words, /** @type {string} */ word) =>
    words.has(word) || (!/^\d/.test(word) && [...words].some((each) => each.includes(word)));
  for (const { row, words } of rows) row.hidden = !wanted.every((word) => has(words, word));
  const shown = rows.filter(({ row }) => !row.hidden).length;
  count.textContent = `${shown} of ${rows.length} calls`;
});
