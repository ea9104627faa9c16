// The little of jQuery that the widget libraries call: they keep one element in `$el`.

export default function $(node) {
  if (!(this instanceof $)) return new $(node);
  this[0] = node;
}

$.prototype.empty = function () {
  this[0].replaceChildren();
  return this;
};
