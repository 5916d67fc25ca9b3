/**
 * An answer that is written while it is read: pages of lines, each asked for when the client has taken the one before. Nothing is held meanwhile but
 * that page: no connection of the database, no snapshot. What fails half-way breaks the connection, so that nobody takes a part for the whole.
 */
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { AppError, messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";

/** Each has at most one statement at a time on a pool of 16 connections that calls need too. */
const EXPORTS_AT_ONCE_MAX = 4;
/** Somebody who takes nothing for so long has gone, or holds a place that others wait for. */
const READER_IDLE_MS_MAX = 60_000;
/** A stopping service gives short exports this long to end; the others are broken off and asked for again. */
const CLOSING_MS_MAX = 3_000;

export interface ExportLimits {
  readonly atOnce: number;
  readonly readerIdleMs: number;
  readonly closingMs: number;
}

const LIMITS: ExportLimits = {
  atOnce: EXPORTS_AT_ONCE_MAX,
  readerIdleMs: READER_IDLE_MS_MAX,
  closingMs: CLOSING_MS_MAX,
};

export class Exports {
  private readonly running = new Set<Readable>();

  constructor(
    private readonly log: Log,
    private readonly limits: ExportLimits = LIMITS,
  ) {}

  /**
   * The first page is made before anything is answered, so that what is wrong from the start is a problem like any other.
   * @param pages text, in pieces of about a page of records
   * @throws AppError("overloaded"), and whatever the first page throws
   */
  async start(pages: AsyncGenerator<string, void>, requestId: string): Promise<Readable> {
    if (this.running.size >= this.limits.atOnce)
      throw new AppError("overloaded", "As many exports as may run at once are running; ask again later.", {
        retryAfterS: 10,
      });
    // Its place is taken before the first page, which others must not wait for in vain.
    const place = new Readable();
    this.running.add(place);
    try {
      const first = await pages.next();
      const stream = Readable.from(
        this.paced(first, pages, () => stream),
        { objectMode: false },
      );
      this.running.add(stream);
      stream.once("close", () => this.running.delete(stream));
      stream.once("error", (error) => this.log.warn("export.broken_off", { requestId, error: messageOf(error) }));
      return stream;
    } finally {
      this.running.delete(place);
    }
  }

  private async *paced(
    first: IteratorResult<string, void>,
    pages: AsyncGenerator<string, void>,
    self: () => Readable,
  ): AsyncGenerator<string, void> {
    try {
      for (let page = first; page.done !== true; page = await pages.next()) {
        const idle = setTimeout(
          () => self().destroy(new Error("the reader took nothing for too long")),
          this.limits.readerIdleMs,
        );
        try {
          yield page.value;
        } finally {
          clearTimeout(idle);
        }
      }
    } finally {
      await pages.return();
    }
  }

  /** Ends what still runs after a moment. @returns at once; the server's own close waits for the connections */
  close(): void {
    const timer = setTimeout(() => {
      for (const stream of this.running) stream.destroy(new Error("the service is stopping"));
    }, this.limits.closingMs);
    timer.unref();
  }
}

export function sendExport(
  reply: FastifyReply,
  stream: Readable,
  as: { readonly type: string; readonly filename: string },
): FastifyReply {
  void reply.type(as.type).header("content-disposition", `attachment; filename="${as.filename}"`);
  return reply.send(stream);
}
