import { describe, expect, it } from "vitest";
import { fromSpool, toSpool } from "../../src/routing/spooled-call.js";
import { inboundCall, secrets } from "../support/world.js";

describe("a call in the spool", () => {
  const call = inboundCall("+18885550100", {
    caller: "+14156739823",
    callerName: "ZÖE QUARTZ-7",
    diversion: "+12126739824",
    verstat: "TN-Validation-Passed-A",
  });

  it("comes back as it was", () => {
    const line = JSON.stringify(toSpool(secrets, call));
    expect(fromSpool(secrets, JSON.parse(line))).toEqual(call);
    const nobody = inboundCall("+18885550100", { caller: null });
    expect(fromSpool(secrets, JSON.parse(JSON.stringify(toSpool(secrets, nobody))))).toEqual(nobody);
  });

  it("names nobody in plain", () => {
    const line = JSON.stringify(toSpool(secrets, call));
    for (const text of ["4156739823", "QUARTZ", "2126739824"]) expect(line).not.toContain(text);
  });

  it("knows no name and no forwarder where an older version wrote the line", () => {
    const { callerNameSealed: _name, diversionSealed: _diversion, ...older } = toSpool(secrets, call);
    expect(fromSpool(secrets, older)).toEqual({ ...call, callerName: null, diversion: null });
  });
});
