/**
 * The examples, as far as they can be held against themselves and the service here: the Tag Manager template loads what its permission names, and nothing
 * else; the WordPress plugin, which nothing here can run, is read.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { TAG_KEY_PATTERN } from "../../src/http/contract/tag-delivery.js";

const plugin = readFileSync(new URL("../../examples/wordpress/ringmatch.php", import.meta.url), "utf8");
const text = readFileSync(new URL("../../examples/gtm/template.tpl", import.meta.url), "utf8");
const sections = new Map(
  [...text.matchAll(/^___([A-Z_]+)___\n([^]*?)(?=^___[A-Z_]+___\n|$(?![^]))/gm)].map(([, name, body]) => [
    name,
    body?.trim() ?? "",
  ]),
);

interface Permission {
  readonly instance: {
    readonly key: { readonly publicId: string };
    readonly param: readonly {
      readonly key: string;
      readonly value: { readonly listItem: readonly { readonly string: string }[] };
    }[];
  };
}

/** Runs the template's code as Tag Manager does, with these of its functions. */
function run(data: object, functions: Readonly<Record<string, unknown>>): void {
  const require = (name: string): unknown => {
    expect(functions).toHaveProperty(name);
    return functions[name];
  };
  new Function("require", "data", sections.get("SANDBOXED_JS_FOR_WEB_TEMPLATE") ?? "")(require, data);
}

test("the template has its sections", () => {
  expect([...sections.keys()]).toEqual([
    "INFO",
    "TEMPLATE_PARAMETERS",
    "SANDBOXED_JS_FOR_WEB_TEMPLATE",
    "WEB_PERMISSIONS",
    "TESTS",
    "NOTES",
  ]);
  expect(JSON.parse(sections.get("INFO") ?? "")).toMatchObject({ type: "TAG", containerContexts: ["WEB"] });
  const [field] = JSON.parse(sections.get("TEMPLATE_PARAMETERS") ?? "") as {
    name: string;
    valueValidators: { args: string[] }[];
  }[];
  expect(field?.name).toBe("key");
  expect("tag_01k0abcdef").toMatch(new RegExp(`^${field?.valueValidators[0]?.args[0]}$`));
});

test("it injects what its one permission names", () => {
  const permissions = JSON.parse(sections.get("WEB_PERMISSIONS") ?? "") as Permission[];
  expect(permissions.map(({ instance }) => instance.key.publicId)).toEqual(["inject_script"]);
  const patterns = permissions[0]?.instance.param[0]?.value.listItem.map((item) => item.string) ?? [];
  expect(patterns).toHaveLength(1);
  const [before, after] = (patterns[0] ?? "").split("*");
  const injected: unknown[][] = [];
  const done = (): void => undefined;
  const failed = (): void => undefined;
  run(
    { key: "tag_a&b", gtmOnSuccess: done, gtmOnFailure: failed },
    {
      encodeUriComponent: encodeURIComponent,
      injectScript: (...args: unknown[]) => injected.push(args),
      queryPermission: (name: string, url: string) =>
        name === "inject_script" && url.startsWith(before ?? "?") && after === "",
    },
  );
  const url = `${before}tag_a%26b`;
  expect(injected).toEqual([[url, done, failed, url]]);
});

test("without the permission it fails, and loads nothing", () => {
  let failures = 0;
  run(
    { key: "tag_a", gtmOnFailure: () => failures++ },
    { encodeUriComponent: encodeURIComponent, injectScript: () => expect.unreachable(), queryPermission: () => false },
  );
  expect(failures).toBe(1);
});

test("the plugin loads the tag by the key that it was given, and no key that the service would not know", () => {
  expect(plugin).toContain("$host . '/tag.js?key=' . rawurlencode( $key )");
  const [, pattern = ""] = /preg_match\( '\/(.*)\/', \$key \)/.exec(plugin) ?? [];
  const key = `tag_${"0123456789abcdef".repeat(2)}`;
  for (const one of [new RegExp(pattern), TAG_KEY_PATTERN]) {
    expect(key).toMatch(one);
    expect(`${key}"><script>`).not.toMatch(one);
  }
});

test("the plugin tells whoever enters what it cannot use, instead of saving nothing", () => {
  const callbacks = [...plugin.matchAll(/'sanitize_callback' => '(\w+)'/g)].map(([, name]) => name);
  expect(callbacks).toHaveLength(2);
  for (const name of callbacks)
    expect(plugin).toMatch(new RegExp(`function ${name}\\( \\$given \\) \\{\\n\\treturn ringmatch_accept\\(`));
  expect(plugin).toContain("add_settings_error( $name, ");
});
