/** What is put into a page, for each way of doing so. Shows text to copy; runs none of it. */
import { element } from "../common/element.js";

export interface SnippetInput {
  /** The script line; the service writes it. */
  readonly loader: string;
  /** The line with the immutable file and its hash; null: only an API key tells. */
  readonly pinned: string | null;
  readonly serviceOrigin: string;
}

interface Snippet {
  readonly title: string;
  readonly words: string;
  readonly code: string;
  readonly isOpen?: boolean;
}

/** What stands for a key that is not known yet. */
const PLACEHOLDER_KEY = "tag_YOUR_KEY";

export function lineFor(origin: string, tagKey: string | null): string {
  return `<script async src="${origin}/tag.js?key=${tagKey ?? PLACEHOLDER_KEY}"></script>`;
}

export function showSnippets(place: HTMLElement, input: SnippetInput): void {
  place.replaceChildren(...snippetsOf(input).map(shown));
}

function snippetsOf({ loader, pinned, serviceOrigin }: SnippetInput): Snippet[] {
  return [
    {
      title: "On every page",
      words:
        "Anywhere in the HTML; at the beginning of the head it is quickest. This one line is the whole installation.",
      code: loader,
      isOpen: true,
    },
    ...(pinned === null ? [] : [pinnedSnippet(pinned)]),
    {
      title: "Google Tag Manager",
      words:
        "Import the template of examples/ (Templates, New, Import), or make a tag of the type Custom HTML with this line. Trigger: Initialization, All Pages. The tag reads Consent Mode itself.",
      code: loader,
    },
    {
      title: "WordPress",
      words: "Into functions.php of the child theme, or take the plugin of examples/.",
      code: `add_action('wp_head', function () {\n  echo '${loader}';\n}, 1);`,
    },
    {
      title: "A page with a content security policy",
      words:
        "Add this source to the two directives that the policy has; the tag needs no inline script, no style and no eval.",
      code: `script-src ${serviceOrigin}; connect-src ${serviceOrigin}`,
    },
    {
      title: "A number in one certain place",
      words:
        "A slot always shows the visitor's number, and what stands in it until then is yours to choose. data-ringmatch-ignore protects an element and everything in it.",
      code: `<span data-ringmatch-number="+18005550100">(800) 555-0100</span>\n<p data-ringmatch-ignore>Fax: (800) 555-0100</p>`,
    },
  ];
}

function pinnedSnippet(code: string): Snippet {
  return {
    title: "Pinned to one version, by its hash",
    words:
      "Subresource integrity: the browser refuses any other bytes. New versions come only when you change the line.",
    code,
  };
}

function shown({ title, words, code, isOpen = false }: Snippet): HTMLElement {
  const text = element("pre", { tabindex: "0", "aria-label": title }, code);
  const copy = element("button", { type: "button" }, "Copy");
  copy.addEventListener("click", () => {
    // Over plain http browsers give pages no clipboard.
    const { clipboard } = navigator as { clipboard?: Clipboard };
    if (clipboard === undefined) return select(text);
    void clipboard.writeText(code).then(
      () => (copy.textContent = "Copied"),
      () => select(text),
    );
  });
  return element("details", { open: isOpen }, element("summary", {}, title), element("p", {}, words), text, copy);
}

/** For the reader's own Ctrl-C. */
function select(text: HTMLElement): void {
  getSelection()?.selectAllChildren(text);
}
