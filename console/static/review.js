// Answers by one key: S, D or U, wherever no text is being written. Every answer has its button too.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (event.target.closest("input, textarea, select")) return;
  const button = document.querySelector(`[data-answers] [data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!button) return;
  const note = document.getElementById("note");
  if (button.value === "unsure" && !note.value.trim()) note.focus();
  else button.click();
  event.preventDefault();
});
