/** `/v1/trunks`: the platform's SIP trunks. */
import { z } from "zod";
import { listTrunks, putTrunk } from "../../account/trunks.store.js";
import { isOpenToAll, readTrunk, showTrunk, trunkIn, trunkOut, trunkParams } from "../contract/trunk.js";
import { pageOut, pageQuery } from "../contract/scalars.js";
import { pageOfAll } from "../cursor.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";

const tags = ["Trunks and carriers"];
const LIST = "trunks";

export function addTrunkRoutes(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/trunks",
    {
      config: { access: "admin" },
      schema: {
        summary: "List SIP trunks, by name",
        tags,
        querystring: z.strictObject(pageQuery),
        response: { 200: pageOut(trunkOut) },
      },
    },
    async ({ query }) =>
      pageOfAll(LIST, { rows: await listTrunks(deps.db), query, keyOf: ({ name }) => name, show: showTrunk }),
  );
  app.put(
    "/v1/trunks/:name",
    {
      config: { access: "admin" },
      schema: {
        summary: "Create or replace a SIP trunk",
        tags,
        params: trunkParams,
        body: trunkIn,
        response: { 200: trunkOut },
      },
    },
    async (request) => {
      const trunk = await putTrunk(deps.db, readTrunk(request.params.name, request.body));
      if (isOpenToAll(trunk)) deps.log.warn("trunk.open_to_all", { requestId: request.id, trunk: trunk.name });
      deps.onTrunksChanged();
      return showTrunk(trunk);
    },
  );
}
