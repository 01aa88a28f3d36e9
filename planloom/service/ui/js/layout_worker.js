/** Lays out plans beside the page, which stays at hand meanwhile. */

import { arranged } from "./arrange.js";

addEventListener("message", ({ data: { id, ...question } }) => postMessage({ id, ...arranged(question) }));
