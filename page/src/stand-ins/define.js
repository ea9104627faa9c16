// anywidget's package registers itself with an AMD loader; this keeps what it registers.

export const defined = {};

export function define(needs, factory) {
  defined.anywidget = factory;
}
