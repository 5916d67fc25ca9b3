/** Scenarios that drachtio-srf ships and that none of its test files runs, each with the app of its `scripts/` that it is made for. */

const call = (scenario, what, answer) => ({
  what,
  names: "",
  async run(testbed, load) {
    const Uas = load("scripts/uas.js");
    const app = answer(new Uas());
    await testbed.sippUac(scenario);
    app.disconnect();
  },
});

const toBusiness = (name, what, act) => ({
  what,
  names: name,
  async run(testbed, load) {
    const Srf = load("../lib/srf.js");
    const srf = new Srf();
    srf.connect(testbed.admin("drachtio-sut"));
    await new Promise((connected) => srf.on("connect", connected));
    await act(srf, testbed.localize(`sip:${name}`));
    srf.disconnect();
  },
});

/** By the file named in the table. */
export const SCENARIO_TESTS = {
  "scenarios/uac-drop-200-then-cancel.xml": call(
    "uac-drop-200-then-cancel.xml",
    "CANCEL and BYE by a caller who never saw the 200",
    (uas) => uas.accept(),
  ),
  "scenarios/uac-expect-480.xml": {
    what: "scripts/reject.js answers 480",
    names: "",
    async run(testbed, load) {
      load("scripts/reject.js");
      await testbed.sippUac("uac-expect-480.xml");
    },
  },
  "scenarios/uas-options-expect-200.xml": toBusiness("sipp-uas-options", "OPTIONS is answered", async (srf, uri) => {
    const request = await srf.request(uri, { method: "OPTIONS" });
    const response = await new Promise((come) => request.on("response", come));
    if (response.status !== 200) throw new Error(`status ${response.status}`);
  }),
  "scenarios/uas-refer.xml": toBusiness("sipp-uas-refer", "a call is answered and hung up", async (srf, uri) => {
    const dialog = await srf.createUAC(uri, { headers: { Subject: "transfer" }, localSdp: "v=0\r\n" });
    await dialog.destroy();
  }),
};
