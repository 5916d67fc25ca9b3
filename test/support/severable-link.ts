/** A TCP link to a server that a test can cut (connections refused) or silence (connections open, nothing comes back), and mend again. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface SeverableLink {
  /** The given URL, through the link. */
  readonly url: string;
  cut(): void;
  silence(): void;
  mend(): void;
  /** What goes to the server, or to the app, waits until it is let go; each connection then gets its share at once. */
  hold(towards?: "server" | "app"): { readonly text: string; letGo(): void };
  close(): Promise<void>;
}

type Held = { readonly to: Socket; readonly data: Buffer }[];

export async function startLink(serverUrl: string): Promise<SeverableLink> {
  const target = new URL(serverUrl);
  const sockets = new Set<Socket>();
  let state: "up" | "cut" | "silent" = "up";
  const held: { server: Held | null; app: Held | null } = { server: null, app: null };
  const pass = (towards: "server" | "app", to: Socket, data: Buffer): void => {
    const waiting = held[towards];
    if (waiting !== null) waiting.push({ to, data });
    else if (state === "up") to.write(data);
  };
  const server = createServer((near) => {
    sockets.add(near);
    near.on("error", () => undefined).on("close", () => sockets.delete(near));
    if (state === "cut") return void near.destroy();
    const far = connect(Number(target.port), target.hostname);
    sockets.add(far);
    far
      .on("error", () => near.destroy())
      .on("close", () => {
        sockets.delete(far);
        near.destroy();
      });
    near.on("close", () => far.destroy());
    near.on("data", (data: Buffer) => pass("server", far, data));
    far.on("data", (data: Buffer) => pass("app", near, data));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(serverUrl);
  url.hostname = "127.0.0.1";
  url.port = String((server.address() as AddressInfo).port);
  const dropAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: url.href,
    cut: () => {
      state = "cut";
      dropAll();
    },
    silence: () => {
      state = "silent";
    },
    mend: () => {
      // What was swallowed is gone: connections of the silence cannot go on.
      if (state === "silent") dropAll();
      state = "up";
    },
    hold: (towards = "server") => {
      const waiting: Held = [];
      held[towards] = waiting;
      return {
        get text() {
          return waiting.map(({ data }) => data.toString("latin1")).join("");
        },
        letGo: () => {
          held[towards] = null;
          for (const to of new Set(waiting.map((one) => one.to)))
            to.write(Buffer.concat(waiting.filter((one) => one.to === to).map(({ data }) => data)));
        },
      };
    },
    close: async () => {
      dropAll();
      server.close();
      await once(server, "close");
    },
  };
}
