/** The landing page of framework-pages.test.ts in React 19. Built by support/build-app.ts for the server (RENDER) and for the browser. */
import { useState } from "react";

const SALES = "800-555-0100";
const SERVICE = "800-555-0199";
const OFFICES = { a: [SALES, "Sales"], b: [SERVICE, "Service"], c: ["800-555-0100 ext. 5", "Parts"] };

function Landing() {
  const [clicks, setClicks] = useState(0);
  const [phone, setPhone] = useState(SALES);
  const [offices, setOffices] = useState(["a", "b"]);
  const [isOpen, setOpen] = useState(true);
  const [area, rest] = [phone.slice(0, 3), phone.slice(4)];
  return (
    <main>
      <header>
        <a id="call" href="tel:+18005550100" aria-label="Call (800) 555-0100">
          (800) 555-0100
        </a>
      </header>
      <p id="split">
        Call <b>800</b>-555-0100 now
      </p>
      <p id="parts">
        {area}-{rest}
      </p>
      <p id="text">Dial {phone} today</p>
      <a id="line" href={`tel:+1-${phone}`}>
        Line
      </a>
      <p id="counter">
        {clicks} clicks, call {phone}
      </p>
      <ul id="list">
        {offices.map((office) => (
          <li key={office}>
            {OFFICES[office][1]}: {OFFICES[office][0]}
          </li>
        ))}
      </ul>
      <p id="bare">Open{isOpen && ", call 800-555-0100"}</p>
      {isOpen && (
        <section id="conditional">
          or text <a href="sms:+18005550100">800.555.0100</a>
        </section>
      )}
      <button id="count" type="button" onClick={() => setClicks((before) => before + 1)}>
        Count
      </button>
      <button id="change" type="button" onClick={() => setPhone((before) => (before === SALES ? SERVICE : SALES))}>
        Change
      </button>
      <button id="replace" type="button" onClick={() => setOffices((before) => (before.includes("c") ? ["a", "b"] : ["b", "c"]))}>
        Replace
      </button>
      <button id="toggle" type="button" onClick={() => setOpen((before) => !before)}>
        Toggle
      </button>
    </main>
  );
}

if (RENDER) {
  const { renderToString } = require("react-dom/server");
  tell(renderToString(<Landing />));
} else {
  const { flushSync } = require("react-dom");
  const { createRoot, hydrateRoot } = require("react-dom/client");
  let root = null;
  window.app = {
    hydrate: (target) => {
      flushSync(() => {
        root = hydrateRoot(target, <Landing />);
      });
    },
    mount: (target) => {
      root = createRoot(target);
      flushSync(() => root.render(<Landing />));
    },
    unmount: () => root.unmount(),
  };
}
