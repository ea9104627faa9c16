// @lumino/widgets without its docks, menus and tabs: its one file cannot be shaken apart, its sources can.

export { Layout } from "@lumino/widgets/src/layout";
export { Panel } from "@lumino/widgets/src/panel";
export { Widget } from "@lumino/widgets/src/widget";
export { PanelLayout } from "@lumino/widgets/src/panellayout";
