/** `/v1/trunks`: the platform's SIP trunks. */
import { z } from "zod";
import { listTrunks, putTrunk } from "../../account/trunks.store.js";
import { isOpenToAll, readTrunk, showTrunk, trunkIn, trunkOut, trunkParams } from "../contract/trunk.js";
import { pageOut } from "../contract/scalars.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";

const tags = ["Trunks and carriers"];

export function addTrunkRoutes(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/trunks",
    {
      config: { access: "admin" },
      schema: {
        summary: "List SIP trunks, by name",
        description: "All of them: there are few.",
        tags,
        querystring: z.strictObject({}),
        response: { 200: pageOut(trunkOut) },
      },
    },
    async () => ({ data: (await listTrunks(deps.db)).map(showTrunk), next_cursor: null }),
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
