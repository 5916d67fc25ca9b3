/** What SUBSCRIBE, NOTIFY and REFER say about a subscription. */
import { describe, expect, it } from "vitest";
import { eventBegun, eventName, grantedSeconds, subscriptionState } from "../../../src/sip/edge/event-header.js";
import { header, type Header } from "../../../src/sip/edge/sip-message.js";

const fields = (values: Readonly<Record<string, string>>): Header[] =>
  Object.entries(values).map(([name, value]) => header(name, value));

describe("the name of a subscription", () => {
  it.each([
    ["presence", "presence"],
    ["Presence", "presence"],
    ["presence;id=7", "presence;id=7"],
    ["presence ; foo=bar;id=7", "presence;id=7"],
    ["refer;id=93809824", "refer"],
  ])("of Event %s is %s", (value, key) => {
    expect(eventName(fields({ Event: value }))).toEqual({ key, value });
    expect(eventName(fields({ o: value }))?.key).toBe(key);
  });

  it.each([
    ["no Event", {}],
    ["an empty one", { Event: "" }],
    ["a broken one", { Event: "presence;;" }],
  ])("is none with %s", (_what, values) => expect(eventName(fields(values))).toBeNull());

  it("is implied by a REFER, unless its answer says that there is none", () => {
    expect(eventBegun({ method: "REFER", headers: [] }, [])?.key).toBe("refer");
    expect(eventBegun({ method: "REFER", headers: [] }, fields({ "Refer-Sub": "true" }))?.key).toBe("refer");
    expect(eventBegun({ method: "REFER", headers: [] }, fields({ "Refer-Sub": "false" }))).toBeNull();
  });
});

describe("its time", () => {
  it.each([
    ["as asked", { Expires: "60" }, {}, 60],
    ["as granted", { Expires: "60" }, { Expires: "30" }, 30],
    ["never longer than asked", { Expires: "60" }, { Expires: "90" }, 60],
    ["as granted where none was asked", {}, { Expires: "90" }, 90],
    ["an hour where nobody says", {}, {}, 3_600],
    ["nothing", { Expires: "0" }, {}, 0],
  ] as const)("%s", (_what, asked, granted, seconds) => {
    expect(grantedSeconds({ method: "SUBSCRIBE", headers: fields(asked) }, fields(granted))).toBe(seconds);
  });
});

describe("a Subscription-State", () => {
  it.each([
    ["active;expires=59", { kind: "lasting", seconds: 59 }],
    ["pending", { kind: "lasting", seconds: null }],
    ["Terminated;reason=noresource", { kind: "terminated" }],
    ["active;expires=soon", { kind: "lasting", seconds: null }],
  ])("%s", (value, state) => expect(subscriptionState(fields({ "Subscription-State": value }))).toEqual(state));

  it("that is not there says nothing", () => expect(subscriptionState([])).toBeNull());
});
