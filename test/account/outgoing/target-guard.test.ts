import { describe, expect, it } from "vitest";
import { checkTarget, createTargetGuard } from "../../../src/account/outgoing/target-guard.js";

const strict = createTargetGuard([]);
const loopback = createTargetGuard([
  "127.0.0.0/8",
  "10.1.0.0/16",
  "169.254.0.0/16",
  "fe80::/10",
  "fd00::/8",
  "64:ff9b::/96",
]);
const kindOf = (url: string, guard = strict) => checkTarget(guard, url).kind;

describe("an endpoint's URL", () => {
  it.each([
    "https://example.com/hooks?x=1",
    "https://example.com:8443/",
    "https://8.8.8.8/",
    "https://[2606:4700::1111]/",
    "https://xn--bcher-kva.example/",
  ])("%s is fine", (url) => expect(kindOf(url)).toBe("fine"));

  it.each([
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0177.0.0.1/",
    "https://0x7f.1/",
    "https://0x7f000001/",
    "https://127.1/",
    "https://127.0.0.1./",
    "https://0/",
    "https://localhost/",
    "https://LOCALHOST./",
    "https://db.localhost/",
    "https://10.0.0.1/",
    "https://172.16.9.9/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://192.0.2.1/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::]/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::8.8.8.8]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:1::]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    "https://[fd00:ec2::254]/",
    "https://[2001:db8::1]/",
    "https://[100::1]/",
    "https://[100:0:0:1::1]/",
    "https://[::127.0.0.1]/",
    "https://[::7f00:1]/",
    "https://[::a00:1]/",
    "https://[4000::1]/",
    "https://１２７.０.０.１/",
    "https://user:pass@example.com/",
    "https://user@example.com/",
    "https://example.com@127.0.0.1/",
    "https://example.com/#here",
    "https://example.com:22/",
    "https://example.com:80/",
    "http://example.com/",
    "http://8.8.8.8/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "example.com",
    "",
  ])("%s is refused", (url) => expect(kindOf(url)).toBe("refused"));

  it("may lead to listed networks, over http and to any port, and to nothing else because of that", () => {
    expect(kindOf("http://127.0.0.1:9000/", loopback)).toBe("fine");
    expect(kindOf("http://localhost:9000/", loopback)).toBe("fine");
    expect(kindOf("http://[::ffff:10.1.2.3]/", loopback)).toBe("fine");
    expect(kindOf("http://10.2.0.1/", loopback)).toBe("refused");
    expect(kindOf("http://8.8.8.8/", loopback)).toBe("refused");
    expect(kindOf("https://8.8.8.8:9000/", loopback)).toBe("refused");
    // A name over http: judged by what it resolves to.
    expect(kindOf("http://hooks.internal:9000/", loopback)).toBe("fine");
  });

  it.each([
    "https://169.254.169.254/",
    "https://[fe80::1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[2002:a9fe:a9fe::]/",
  ])("%s stays refused, whatever is listed", (url) => expect(kindOf(url, loopback)).toBe("refused"));
});

describe("an address that a name resolves to", () => {
  it("must be public on a usual target, and listed on any other", () => {
    expect(strict.allows("93.184.215.14", true)).toBe(true);
    expect(strict.allows("93.184.215.14", false)).toBe(false);
    expect(strict.allows("10.0.0.1", true)).toBe(false);
    expect(strict.allows("fe80::1%eth0", true)).toBe(false);
    expect(strict.allows("no address", true)).toBe(false);
    expect(loopback.allows("127.9.9.9", false)).toBe(true);
    expect(loopback.allows("::1", false)).toBe(false);
    expect(loopback.allows("fd00::1", false)).toBe(true);
  });
});
