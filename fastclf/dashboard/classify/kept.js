// What a reload finds again, for ten minutes: the answers with their pictures, and the photos as they were sent.
// It lies in the session's storage of this tab and goes with the tab.

const KEPT_MS = 600_000;
const LARGEST = 1_000_000; // bytes of a photo: a larger one would push out many others, so its answer alone is kept
const BITS = 15; // of bytes in each character; from 0x1000 on these are whole characters everywhere
const FIRST = 0x1000;

function pack(bytes) {
  const codes = new Uint16Array(Math.ceil((bytes.length * 8) / BITS));
  let held = 0;
  let bits = 0;
  let n = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    if (bits < BITS) continue;
    bits -= BITS;
    codes[n++] = FIRST + (held >> bits);
    held &= (1 << bits) - 1;
  }
  if (bits) codes[n] = FIRST + (held << (BITS - bits));
  let text = "";
  for (let i = 0; i < codes.length; i += 8192) text += String.fromCharCode(...codes.subarray(i, i + 8192));
  return text;
}

function unpack(text, size) {
  const bytes = new Uint8Array(size);
  let held = 0;
  let bits = 0;
  let n = 0;
  for (let i = 0; n < size; i++) {
    held = (held << BITS) | (text.charCodeAt(i) - FIRST);
    bits += BITS;
    for (; bits >= 8 && n < size; bits -= 8) bytes[n++] = (held >> (bits - 8)) & 255;
    held &= (1 << bits) - 1;
  }
  return bytes;
}

function readHead(text) {
  const end = text.indexOf("\n");
  return { ...JSON.parse(text.slice(0, end)), end: end + 1 };
}

class Kept {
  constructor() {
    // another page of this server is not meant
    this.prefix = `fastclf-kept ${location.pathname} `;
    try {
      this.store = sessionStorage;
      const seen = Number(this.store.getItem(`${this.prefix}seen`));
      if (!(Date.now() - seen < KEPT_MS)) this.clear();
    } catch {
      this.store = null; // a page without storage
    }
    this.onHide = () => this.look();
    addEventListener("pagehide", this.onHide);
  }

  close() {
    removeEventListener("pagehide", this.onHide);
  }

  get names() {
    const { store, prefix } = this;
    return store ? Object.keys(store).filter((name) => name.startsWith(prefix) && !name.endsWith(" seen")) : [];
  }

  // The ten minutes begin when the page is left.
  look() {
    try {
      if (this.names.length) this.store.setItem(`${this.prefix}seen`, String(Date.now()));
    } catch {
      // then they began earlier
    }
  }

  // {card, message, picture, photo} of each; the message asks for the answer again.
  read() {
    return this.names.map((name) => this.#open(name)).filter(Boolean).sort((a, b) => a.card.batch - b.card.batch || a.card.order - b.card.order);
  }

  #open(name) {
    try {
      const text = this.store.getItem(name);
      const { card, message, sizes, end } = readHead(text);
      const bytes = unpack(text.slice(end), sizes[0] + sizes[1]);
      return { card, message, picture: bytes.subarray(0, sizes[0]), photo: bytes.subarray(sizes[0]) };
    } catch {
      return null; // it was not written whole
    }
  }

  put(card, message, picture, photo = new Uint8Array()) {
    if (!this.store) return;
    if (photo.length > LARGEST) return this.put(card, null, picture);
    const both = new Uint8Array(picture.length + photo.length);
    both.set(picture);
    both.set(photo, picture.length);
    const head = JSON.stringify({ card, message, sizes: [picture.length, photo.length] });
    if (!this.#write(this.prefix + card.order, `${head}\n${pack(both)}`) && photo.length) this.put(card, null, picture);
    this.look();
  }

  // Where there is no room, the oldest photos make it: of these only the answers stay.
  #write(name, text) {
    for (;;) {
      try {
        this.store.setItem(name, text);
        return true;
      } catch {
        const oldest = this.#findOldest(name);
        if (!oldest) return false;
        const { card, picture } = this.#open(oldest);
        this.store.removeItem(oldest);
        this.put(card, null, picture);
      }
    }
  }

  #findOldest(name) {
    const heads = this.names.filter((other) => other !== name).map((other) => [readHead(this.store.getItem(other)), other]);
    return heads.filter(([{ sizes }]) => sizes[1]).sort(([a], [b]) => a.card.order - b.card.order)[0]?.[1];
  }

  // How the answer of a photo can be asked for again.
  find(order) {
    const found = this.#open(this.prefix + order);
    return found && { message: found.message, bytes: found.photo };
  }

  // The same photo with another word about it.
  renew(card) {
    const old = this.#open(this.prefix + card.order);
    if (old) this.put(card, old.message, old.picture, old.photo);
  }

  drop(order) {
    this.store?.removeItem(this.prefix + order);
  }

  clear() {
    for (const name of this.names) this.store.removeItem(name);
  }
}
