// The worker of a page that answers as one model does.

import { ORDERS, listen } from "./engine.js";

listen(ORDERS);
