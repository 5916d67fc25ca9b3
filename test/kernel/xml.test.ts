import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { attributesOf, textOf } from "../../src/dev/carrier-voices/read-xml.js";
import { element, xmlDocument } from "../../src/kernel/xml.js";

describe("element", () => {
  it("writes elements, attributes and text, and leaves out what is null", () => {
    const dial = element("Dial", { timeout: 17, action: null, redirect: false }, [element("Number", {}, ["+1800"])]);
    expect(xmlDocument(element("Response", {}, [dial, element("Hangup")]))).toBe(
      `<?xml version="1.0" encoding="UTF-8"?><Response><Dial timeout="17" redirect="false"><Number>+1800</Number></Dial><Hangup/></Response>`,
    );
  });

  it("text and attributes can never become markup", () => {
    const { xml } = element("Speak", { url: `?a=1&b="'<>` }, [`</Speak><Hangup/> & "more" 'text'`]);
    expect(xml).toBe(
      `<Speak url="?a=1&amp;b=&quot;&apos;&lt;&gt;">&lt;/Speak&gt;&lt;Hangup/&gt; &amp; "more" 'text'</Speak>`,
    );
  });

  it("what is no character of XML is left out, and characters beyond the first plane stay", () => {
    expect(element("Speak", {}, ["a\u0000b\u001fc\ud800d\ufffee\t\u{1f600}"]).xml).toBe(
      "<Speak>abcde\t\u{1f600}</Speak>",
    );
  });

  it("any text is read back as it was", () => {
    const allowed = fc.string({ unit: "grapheme", minLength: 1 });
    fc.assert(
      fc.property(allowed, allowed, (value, text) => {
        const { xml } = element("Number", { url: value }, [text]);
        expect(attributesOf(xml, "Number")).toEqual({ url: value });
        expect(textOf(xml, "Number")).toBe(text);
      }),
    );
  });
});
