/** A TCP link to a server that a test can cut (connections refused) or silence (connections open, nothing comes back), and mend again. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface SeverableLink {
  /** The given URL, through the link. */
  readonly url: string;
  cut(): void;
  silence(): void;
  mend(): void;
  /** What goes to the server waits until it is let go. */
  hold(): { readonly bytes: number; letGo(): void };
  close(): Promise<void>;
}

export async function startLink(serverUrl: string): Promise<SeverableLink> {
  const target = new URL(serverUrl);
  const sockets = new Set<Socket>();
  let state: "up" | "cut" | "silent" = "up";
  let held: { readonly far: Socket; readonly data: Buffer }[] | null = null;
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
    near.on("data", (data: Buffer) => {
      if (held !== null) held.push({ far, data });
      else if (state === "up") far.write(data);
    });
    far.on("data", (data) => void (state === "up" && near.write(data)));
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
    hold: () => {
      const waiting: { readonly far: Socket; readonly data: Buffer }[] = [];
      held = waiting;
      return {
        get bytes() {
          return waiting.reduce((sum, { data }) => sum + data.length, 0);
        },
        letGo: () => {
          held = null;
          for (const { far, data } of waiting) far.write(data);
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
