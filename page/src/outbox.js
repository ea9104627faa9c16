// What was sent and is not known to have arrived: a socket that dies takes along what was just written to it.

const MOST_TRIES = 5;

export class Outbox {
  constructor() {
    this.messages = new Map();
    this.turn = 0;
  }

  // `written`: it has been sent already
  add(message, written = false) {
    this.messages.set(message.header.msg_id, { message, turn: written ? this.next() : 0, tries: 0 });
  }

  get size() {
    return this.messages.size;
  }

  has(id) {
    return this.messages.has(id);
  }

  next() {
    return ++this.turn;
  }

  // Whatever the kernel says about a message proves that it was there.
  arrived(id) {
    this.messages.delete(id);
  }

  write(id, put) {
    const entry = this.messages.get(id);
    entry.turn = this.next();
    put(entry.message);
  }

  // Writes what was not there at a turn, in order; what was sent before is marked. Returns the message that is
  // given up, because the line broke each time that it was sent.
  writeAgain(turn, put) {
    const lost = [...this.messages].filter(([, entry]) => entry.turn < turn);
    const [first] = lost.filter(([, entry]) => entry.turn);
    let refused = null;
    if (first && ++first[1].tries > MOST_TRIES) {
      [refused] = first;
      this.messages.delete(refused);
    }
    for (const [id, entry] of lost) {
      if (id === refused) continue;
      // whoever receives it may have it already
      if (entry.turn) entry.message.metadata = { ...entry.message.metadata, resent: true };
      this.write(id, put);
    }
    return refused;
  }
}
