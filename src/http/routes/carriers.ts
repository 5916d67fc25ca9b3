/** `/v1/carriers/:carrier`: the credentials by which a carrier's webhooks are verified, an account's own or the platform's. */
import { getAccount } from "../../account/accounts.store.js";
import { getCredential, listCredentials, putCredential } from "../../account/carrier-credentials.store.js";
import { accountToRead, principalOf } from "../auth.js";
import {
  carrierIn,
  carrierParams,
  carrierQuery,
  credentialOut,
  readCarrierBody,
  showCredential,
} from "../contract/carrier.js";
import { pageOut } from "../contract/scalars.js";
import { pageOfAll } from "../cursor.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";

const tags = ["Trunks and carriers"];
const LIST = "credentials";

export function addCarrierRoutes(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/carriers/:carrier",
    {
      config: { access: "read" },
      schema: {
        summary: "List the credentials of a carrier, secrets masked",
        description: "An account's key sees its own, of which there is one at most.",
        tags,
        params: carrierParams,
        querystring: carrierQuery,
        response: { 200: pageOut(credentialOut) },
      },
    },
    async (request) => {
      const accountId = accountToRead(principalOf(request), request.query.account_id);
      const rows = await listCredentials(deps, { carrier: request.params.carrier, accountId });
      return pageOfAll(LIST, { rows, query: request.query, keyOf: ({ id }) => id, show: showCredential });
    },
  );
  app.put(
    "/v1/carriers/:carrier",
    {
      config: { access: "write" },
      schema: {
        summary: "Set the credentials of a carrier",
        description:
          "For the account, or, with a key of the platform and no account_id, for the platform. The credential_id stays the same when they are replaced.",
        tags,
        params: carrierParams,
        body: carrierIn,
        response: { 200: credentialOut },
      },
    },
    async (request) => {
      const { carrier } = request.params;
      const { accountId: asked, intercept, secrets } = readCarrierBody(carrier, request.body);
      const accountId = accountToRead(principalOf(request), asked);
      if (accountId !== null) await getAccount(deps.db, accountId);
      const id = await putCredential(deps, { carrier, accountId, secrets, intercept });
      const { keyId } = principalOf(request);
      deps.log.info("carrier.credentials_set", { requestId: request.id, keyId, carrier, accountId, credentialId: id });
      return showCredential(await getCredential(deps, id));
    },
  );
}
