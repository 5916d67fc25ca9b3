/** Another program that has a TCP port of this machine which one of ours wants. */
import { createServer, type Server } from "node:net";
import { onTestFinished } from "vitest";

export async function takePort(port: number): Promise<Server> {
  const thief = createServer();
  await new Promise<void>((listening, failed) => thief.once("error", failed).listen(port, "127.0.0.1", listening));
  onTestFinished(() => void thief.close());
  return thief;
}
