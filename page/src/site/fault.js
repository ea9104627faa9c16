// A sentence about what went wrong, as its English template and its fields; a field may be such a sentence, too.

export class Fault extends Error {
  constructor(text, fields = {}) {
    super(text);
    this.fields = fields;
  }
}

// What is sent between threads; what nobody foresaw keeps its words.
export function describeFault(error) {
  if (error instanceof Fault) return { text: error.message, fields: error.fields };
  return { text: "This page stopped working ({reason}). Load it again.", fields: { reason: String(error?.message ?? error) } };
}
