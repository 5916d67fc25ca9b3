/**
 * What many number swapping scripts do, as the tag's rivals: every text of the page against a regular expression for every destination, and the whole
 * page again whenever something changes; or the page's HTML as one text, replaced and set anew. Written from general knowledge of such scripts.
 * They know their numbers from the start and ask nobody; numbers cut up by markup they leave.
 */

/** Destination → the number in its place, both +1 and ten digits. */
type Pairs = ReadonlyMap<string, string>;

const RULES = `
  function ruleOf(pair) {
    var d = pair[0].slice(2), to = pair[1].slice(2);
    var pattern = "(\\\\+?1[-. ]?)?(\\\\(?)" + d.slice(0, 3) + "(\\\\)?[-. ]*)" + d.slice(3, 6) + "([-. ]*)" + d.slice(6);
    return [new RegExp(pattern, "g"), "$1$2" + to.slice(0, 3) + "$3" + to.slice(3, 6) + "$4" + to.slice(6)];
  }
  var rules = pairs.map(ruleOf);
  function replaced(text) {
    for (var i = 0; i < rules.length; i++) text = text.replace(rules[i][0], rules[i][1]);
    return text;
  }`;

export function textWalker(pairs: Pairs): string {
  return `(function (pairs) {${RULES}
  function swap() {
    var walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), node;
    while ((node = walker.nextNode())) {
      var text = replaced(node.nodeValue);
      if (text !== node.nodeValue) node.nodeValue = text;
    }
    document.querySelectorAll("a[href^='tel:']").forEach(function (link) {
      var href = replaced(link.getAttribute("href"));
      if (href !== link.getAttribute("href")) link.setAttribute("href", href);
    });
  }
  swap();
  new MutationObserver(swap).observe(document.body, { childList: true, subtree: true, characterData: true });
})(${JSON.stringify([...pairs])});`;
}

export function htmlReplacer(pairs: Pairs): string {
  return `(function (pairs) {${RULES}
  document.body.innerHTML = replaced(document.body.innerHTML);
})(${JSON.stringify([...pairs])});`;
}
