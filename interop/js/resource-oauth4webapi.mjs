// An API that checks JWT access tokens with oauth4webapi: node resource-oauth4webapi.mjs ISSUER AUDIENCE
import "./node18.mjs";
import * as oauth from "oauth4webapi";
import { answer, listen } from "./listen.mjs";

const [issuer, audience] = process.argv.slice(2);
const url = new URL(issuer);
const as = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { algorithm: "oauth2" }));

listen(async (request, response) => {
  const { headers, method } = request;
  try {
    const asked = new Request(`http://${headers.host}${request.url}`, { method, headers });
    const claims = await oauth.validateJwtAccessToken(as, asked, audience);
    if (!claims.scope.split(" ").includes("reports:read")) return answer(response, 403, { error: "scope" });
    answer(response, 200, { subject: claims.sub });
  } catch (error) {
    answer(response, error instanceof oauth.OperationProcessingError ? 401 : 500, { error: error.message });
  }
});
