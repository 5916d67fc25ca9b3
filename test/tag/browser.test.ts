import { expect, test } from "vitest";
import { closePagesAfterwards, openPage } from "../support/browser.js";

closePagesAfterwards();

test("a page runs in a real browser", async () => {
  const { page, complaints } = await openPage();
  await page.setContent("<p id=a>one</p><script>document.getElementById('a').textContent = 'two'</script>");
  expect(await page.textContent("#a")).toBe("two");
  expect(complaints).toEqual([]);
});
