/** Landing.svelte for the server (RENDER) and for the browser. */
import { flushSync, hydrate, mount, unmount } from "svelte";
import Landing from "./Landing.svelte";

if (RENDER) {
  const { render } = require("svelte/server");
  tell(render(Landing).body);
} else {
  let app = null;
  const start = (made) => {
    app = made;
    flushSync();
  };
  window.app = {
    hydrate: (target) => start(hydrate(Landing, { target })),
    mount: (target) => start(mount(Landing, { target })),
    unmount: () => unmount(app),
  };
}
