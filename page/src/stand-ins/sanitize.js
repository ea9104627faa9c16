// Descriptions with markup are not used: whatever arrives is shown as the text that it is.

export default function sanitize(text) {
  const node = document.createElement("span");
  node.textContent = text;
  return node.innerHTML;
}
