// Stands in the head of a page without a server, so that nothing is drawn that a page in a frame does not show.

import { embed } from "../embed.js";

embed();
