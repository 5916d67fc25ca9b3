/** What keeps the tag from working on a page at all: its snippet, the page's own policy, the account's settings. */
import { blockedBy } from "./page-policy.js";
import type { TagFacts } from "./verdict.js";

export type PageProblem =
  /** `hasTagManager`: it may bring the snippet, which the HTML does not show. */
  | { readonly kind: "snippet_missing"; readonly hasTagManager: boolean }
  | { readonly kind: "snippet_twice"; readonly count: number }
  | { readonly kind: "other_key"; readonly key: string }
  | { readonly kind: "other_service"; readonly origin: string }
  | { readonly kind: "script_blocked"; readonly directive: string }
  | { readonly kind: "requests_blocked"; readonly directive: string }
  | { readonly kind: "origin_not_allowed"; readonly origin: string }
  | { readonly kind: "paused" }
  | { readonly kind: "has_frames"; readonly count: number };

export interface TestedPage {
  readonly document: Document;
  /** Null: pasted without one. */
  readonly url: string | null;
  /** Of the answer that brought the page. */
  readonly policyHeader: string | null;
}

/** The tag works all the same, or it is not known whether it does. */
export function isOnlyRemark(problem: PageProblem): boolean {
  return (
    problem.kind === "has_frames" ||
    problem.kind === "snippet_twice" ||
    (problem.kind === "snippet_missing" && problem.hasTagManager)
  );
}

export function problemsOf(page: TestedPage, facts: TagFacts): PageProblem[] {
  const { document: tested, url } = page;
  const origin = url === null ? null : new URL(url).origin;
  const frames = tested.querySelectorAll("iframe,frame").length;
  const blocked = blockedBy(policiesOf(page), {
    pageOrigin: origin,
    serviceOrigin: facts.serviceOrigin,
    nonce: snippetsOf(page)[0]?.nonce ?? null,
  });
  return [
    ...snippetProblems(page, facts),
    ...(facts.paused ? [{ kind: "paused" } as const] : []),
    ...(origin === null || isAllowed(origin, facts.allowedOrigins)
      ? []
      : [{ kind: "origin_not_allowed", origin } as const]),
    ...(blocked.script === null ? [] : [{ kind: "script_blocked", directive: blocked.script } as const]),
    ...(blocked.connect === null ? [] : [{ kind: "requests_blocked", directive: blocked.connect } as const]),
    ...(frames === 0 ? [] : [{ kind: "has_frames", count: frames } as const]),
  ];
}

function snippetProblems(page: TestedPage, facts: TagFacts): PageProblem[] {
  const snippets = snippetsOf(page);
  const [first] = snippets;
  if (first === undefined) {
    const hasTagManager = /googletagmanager\.com\/gtm|GTM-[A-Z0-9]{4,}/.test(page.document.documentElement.outerHTML);
    return [{ kind: "snippet_missing", hasTagManager }];
  }
  return [
    ...(snippets.length > 1 ? [{ kind: "snippet_twice", count: snippets.length } as const] : []),
    // The first one works, so it is the one that counts.
    ...(first.key === facts.tagKey ? [] : [{ kind: "other_key", key: first.key } as const]),
    ...(first.origin === null || first.origin === facts.serviceOrigin
      ? []
      : [{ kind: "other_service", origin: first.origin } as const]),
  ];
}

interface Snippet {
  readonly key: string;
  /** Null: relative to a page whose address is not known. */
  readonly origin: string | null;
  readonly nonce: string | null;
}

/** `/tag.js?key=` and the immutable file with its data-key; nothing else of the page is taken for one. */
function snippetsOf({ document: tested, url }: TestedPage): Snippet[] {
  return [...tested.querySelectorAll("script[src]")].flatMap((script) => {
    const text = script.getAttribute("src") ?? "";
    const base = url ?? "http://unknown.invalid/";
    if (!URL.canParse(text, base)) return [];
    const { pathname, searchParams, origin, hostname } = new URL(text, base);
    const isLoader = pathname.endsWith("/tag.js") && searchParams.has("key");
    const isFile = /\/tag\/[^/]+\.js$/.test(pathname) && script.hasAttribute("data-key");
    if (!isLoader && !isFile) return [];
    const key = (isLoader ? searchParams.get("key") : script.getAttribute("data-key")) ?? "";
    return [{ key, origin: hostname === "unknown.invalid" ? null : origin, nonce: script.getAttribute("nonce") }];
  });
}

/** A meta element counts in the head alone (CSP Level 3, section 3.3). */
function policiesOf({ document: tested, policyHeader }: TestedPage): string[] {
  const metas = [...tested.querySelectorAll("head meta[http-equiv][content]")]
    .filter((meta) => meta.getAttribute("http-equiv")?.toLowerCase() === "content-security-policy")
    .map((meta) => meta.getAttribute("content") ?? "");
  return policyHeader === null ? metas : [policyHeader, ...metas];
}

/** As the Origin header has it, or `https://*.example.com` for every host below. */
function isAllowed(origin: string, allowed: readonly string[]): boolean {
  if (allowed.length === 0) return true;
  return allowed.some((one) => {
    if (!one.includes("://*.")) return one === origin;
    const [scheme = "", domain = ""] = one.split("://*");
    return origin.startsWith(`${scheme}://`) && origin.endsWith(domain);
  });
}
