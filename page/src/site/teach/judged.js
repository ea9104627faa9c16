// How good it is, in a sentence.

import { sayShare } from "../words.js";

export function sayJudged(words, judged) {
  if (!judged) return words.t("How good it is cannot be told yet: each class needs two photos at least, of two presses of the button or two files.");
  const { photos, right, interval } = judged;
  const [share, low, high] = [right / photos, ...interval].map((p) => words.translate(sayShare(p)));
  return words.t("It was right about {right} of {n} photos that it had not seen: {share} (likely {low} to {high}).", { right, n: photos, share, low, high });
}
