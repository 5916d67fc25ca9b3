/** `npm start`: the same as `ringmatch start`. */
import { runCommand } from "./cli/ringmatch.js";

await runCommand(["start"]);
