// The answers as a file: as the kernel writes it, or from what the page has where the kernel is gone or is a new one.

const COLUMNS = ["file", "label", "probability", "unfamiliar", "error", "correction"];

// A cell that a spreadsheet reads as text, never as a formula.
function writeCell(value) {
  const text = String(value ?? "");
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

// The page knows the probabilities that have a bar.
function buildTable(cards) {
  const labels = [...new Set(cards.flatMap((card) => card.bars.map(([label]) => label)))].sort();
  const rows = cards.map((card) => {
    const shares = new Map(card.bars);
    const failed = card.level === "failed";
    const numbers = labels.map((label) => shares.get(label)?.toFixed(6));
    return [card.name, card.label, card.probability?.toFixed(6), card.unfamiliar, failed ? card.words : "", card.said?.words, ...numbers];
  });
  const lines = [[...COLUMNS, ...labels], ...rows].map((row) => row.map(writeCell).join(","));
  return new TextEncoder().encode(`\ufeff${lines.join("\r\n")}\r\n`);
}
