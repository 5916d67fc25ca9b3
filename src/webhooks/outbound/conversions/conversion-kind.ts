/**
 * What endpoints of networks have in common: which calls are told, once each, with whose consent, and until when. Made for each network by
 * src/service/conversion-side.ts; how a network spells and takes an event is in its own files.
 */
import type { ConversionKind } from "../../../account/outgoing/conversion-settings.js";
import type { ToldConversion } from "../../../account/outgoing/deliveries.store.js";
import type { LockedEndpoint, WebhookEndpoint } from "../../../account/outgoing/webhook-endpoints.store.js";
import { isConversion } from "../../../attribution/exports/ad-conversions.js";
import { type ConsentPurpose, consentTo } from "../../../attribution/exports/ad-consent.js";
import type { CallRecord } from "../../../attribution/call-record.js";
import type { Clock } from "../../../kernel/clock.js";
import { invariant } from "../../../kernel/invariant.js";
import type { Secrets } from "../../../kernel/secrets.js";
import type { EndpointKind, Rendered, SendOutcome } from "../endpoint-kinds.js";
import { changeOf } from "./conversion-change.js";
import { type MadeEvent, type SkipReason, type TellableCall, tellableOf } from "./tellable-call.js";

export interface Network {
  readonly kind: ConversionKind;
  /** A purpose that was denied forbids telling. */
  readonly needsConsentTo: readonly ConsentPurpose[];
  /** Whether a changed value replaces the one that was told. */
  readonly canRestate: boolean;
  readonly ageMsMax: number;
  /** @param caller E.164, only where the endpoint is shown callers */
  make(input: { call: TellableCall; settings: object; caller: string | null }): MadeEvent;
  /** Whether an event that names its caller comes out of it. */
  readonly namesCaller: boolean;
  send(body: string, endpoint: LockedEndpoint): Promise<SendOutcome>;
}

/** Sealed: the body for the network, and when the call was, since attempts may come days later. */
interface Letter {
  readonly at: number;
  readonly payload: object;
}

export interface KindDeps {
  readonly secrets: Secrets;
  readonly clock: Clock;
}

export function conversionKind(deps: KindDeps, network: Network): EndpointKind {
  return {
    remembers: true,
    render: (event, endpoint, told) =>
      event.call === null ? null : render(deps, network, { call: event.call, endpoint, told }),
    send: async ({ body }, endpoint) => {
      const { at, payload } = JSON.parse(body) as Letter;
      if (deps.clock.now() - at > network.ageMsMax) return skipped("too_old");
      return network.send(JSON.stringify(payload), endpoint);
    },
  };
}

function render(
  { secrets, clock }: KindDeps,
  network: Network,
  input: { call: CallRecord; endpoint: WebhookEndpoint; told: ToldConversion | null },
): Rendered | null {
  const { endpoint, told } = input;
  const { settings, accountId } = endpoint;
  invariant(
    settings !== null && accountId !== null,
    "the database has no network's endpoint without settings and account",
  );
  const call = tellableOf(input.call);
  if (call === null) return null;
  const { canRestate } = network;
  if (!isConversion(call, (settings as { min_talk_s?: number | null }).min_talk_s ?? null))
    return unlessTold(changeOf({ told, now: null, canRestate }));
  if (network.needsConsentTo.some((purpose) => consentTo(call.consent, purpose) === "denied"))
    return skipped("consent_denied");
  const caller = network.namesCaller && endpoint.includeCaller ? openCaller(secrets, input.call) : null;
  const made = network.make({ call, settings, caller });
  if (made.kind === "skipped") return made;
  const who = secrets.hash(accountId, `conversion ${endpoint.id} ${made.who}`).toString("hex");
  const value = call.currency === null ? null : call.revenue;
  const conversion: ToldConversion = { who, value, currency: value === null ? null : call.currency };
  const change = changeOf({ told, now: conversion, canRestate });
  if (change.kind !== "tell") return unlessTold(change);
  if (clock.now() - made.at > network.ageMsMax) return skipped("too_old");
  const letter: Letter = { at: made.at, payload: made.payload };
  return { kind: "body", body: JSON.stringify(letter), namesCaller: caller !== null, conversion };
}

function unlessTold(change: ReturnType<typeof changeOf>): Rendered | null {
  return change.kind === "skipped" ? change : null;
}

function openCaller(secrets: Secrets, { caller }: CallRecord): string | null {
  return caller.enc === null ? null : secrets.open(caller.enc);
}

function skipped(reason: SkipReason): { readonly kind: "skipped"; readonly reason: SkipReason } {
  return { kind: "skipped", reason };
}
