/** Landing.vue for the server (RENDER) and for the browser. */
import { createApp, createSSRApp } from "vue";
import Landing from "./Landing.vue";

if (RENDER) {
  const { renderToString } = require("vue/server-renderer");
  tell(renderToString(createSSRApp(Landing)));
} else {
  let app = null;
  const start = (made, target) => {
    app = made;
    app.mount(target);
  };
  window.app = {
    hydrate: (target) => start(createSSRApp(Landing), target),
    mount: (target) => start(createApp(Landing), target),
    unmount: () => app.unmount(),
  };
}
