// Photos that somebody chose or dropped, with the folders in which they lay.

const TYPES = /\.(jpe?g|png|webp|gif|bmp|avif|heic|heif)$/i;
const ARCHIVES = /\.(zip|tm)$/i;

export const isArchive = ({ name }) => ARCHIVES.test(name);
const isPhoto = ({ name, type }) => (type.startsWith("image/") || (!type && TYPES.test(name))) && !name.startsWith(".");

// {file, folder}: `folder` is the name of the one in which a photo lay, "" where it was chosen alone
export function listChosen(files) {
  return files.filter(isPhoto).map((file) => ({ file, folder: file.webkitRelativePath?.split("/").at(-2) ?? "" }));
}

// What was dropped: {photos: [{file, folder}], archives: [file]}. Has to be called while the event is handled.
export async function listDropped(data) {
  const entries = [...(data.items ?? [])].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const loose = [...data.files];
  if (!entries.some(({ isDirectory }) => isDirectory)) return { photos: listChosen(loose), archives: loose.filter(isArchive) };
  const found = [];
  for (const entry of entries) await walk(entry, "", found);
  return { photos: found.filter(({ file }) => isPhoto(file)), archives: found.map(({ file }) => file).filter(isArchive) };
}

async function walk(entry, folder, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
    if (file) found.push({ file, folder });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // a hundred at a time at most
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length) return;
    for (const inner of some) await walk(inner, entry.name, found);
  }
}
