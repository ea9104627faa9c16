// What the browser keeps of a project, also after the page is closed: its classes, features and reduced photos, in IndexedDB.
// Where that is denied or full, all goes on in memory, and `trouble` says why.

const VERSION = 1;

function wait(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function finish(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error ?? new DOMException("", "AbortError"));
  });
}

// Another tab with the same project would write over this one's.
async function holdAlone(name) {
  if (!navigator.locks) return true; // a page over plain http
  return new Promise((resolve) => {
    const keep = (lock) => (resolve(Boolean(lock)), lock ? new Promise(() => {}) : null);
    navigator.locks.request(name, { ifAvailable: true }, keep).catch(() => resolve(true));
  });
}

export class Store {
  trouble = ""; // "", "denied", "other tab" or "full"
  #database = null;
  #loose = new Map(); // pictures that are in memory alone
  #tell = () => {};

  constructor(name) {
    this.name = name;
  }

  onTrouble(act) {
    this.#tell = act;
  }

  // -> {project, photos}: what was kept, without what was removed
  async open() {
    try {
      if (!(await holdAlone(this.name))) {
        this.#fail("other tab");
        return { project: null, photos: [] };
      }
      const request = indexedDB.open(this.name, VERSION);
      request.onupgradeneeded = () => ["project", "photos", "pictures"].forEach((store) => request.result.createObjectStore(store));
      this.#database = await wait(request);
      return await this.#load();
    } catch (error) {
      console.warn(error);
      this.#fail("denied");
      return { project: null, photos: [] };
    }
  }

  async #load() {
    const reading = this.#database.transaction(["project", "photos"]);
    const [project, photos] = await Promise.all([wait(reading.objectStore("project").get("it")), wait(reading.objectStore("photos").getAll())]);
    const gone = photos.filter(({ removed }) => removed);
    if (gone.length) {
      this.#write(["photos", "pictures"], (take) => gone.forEach(({ id }) => ["photos", "pictures"].forEach((name) => take(name).delete(id))));
    }
    return { project: project ?? null, photos: photos.filter(({ removed }) => !removed) };
  }

  putProject(values) {
    return this.#write(["project"], (take) => take("project").put(values, "it"));
  }

  async putPhoto(record, jpeg) {
    const kept = await this.#write(["photos", "pictures"], (take) => {
      take("photos").put(record, record.id);
      take("pictures").put(jpeg, record.id);
    });
    if (!kept) this.#loose.set(record.id, jpeg);
  }

  putRecords(records) {
    return this.#write(["photos"], (take) => records.forEach((record) => this.#loose.has(record.id) || take("photos").put(record, record.id)));
  }

  // the bytes of a photo, or null
  async readPicture(id) {
    if (this.#loose.has(id)) return this.#loose.get(id);
    if (!this.#database) return null;
    return (await wait(this.#database.transaction("pictures").objectStore("pictures").get(id))) ?? null;
  }

  clear() {
    this.#loose.clear();
    const names = ["project", "photos", "pictures"];
    return this.#write(names, (take) => names.forEach((name) => take(name).clear()));
  }

  // Tells whether it was written.
  async #write(names, act) {
    if (!this.#database) return false;
    try {
      const transaction = this.#database.transaction(names, "readwrite");
      const done = finish(transaction);
      act((name) => transaction.objectStore(name));
      await done;
      return true;
    } catch (error) {
      console.warn(error);
      this.#fail("full");
      return false;
    }
  }

  #fail(trouble) {
    this.trouble = trouble;
    this.#tell();
  }
}
