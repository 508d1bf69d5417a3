// An API that checks JWT access tokens with jose: node resource-jose.mjs ISSUER AUDIENCE
import "./node18.mjs";
import { createRemoteJWKSet, errors, jwtVerify } from "jose";
import { answer, bearer, listen } from "./listen.mjs";

const [issuer, audience] = process.argv.slice(2);
const metadata = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json();
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));

listen(async (request, response) => {
  try {
    const { payload } = await jwtVerify(bearer(request) ?? "", keys, { issuer, audience });
    if (!payload.scope.split(" ").includes("reports:read")) return answer(response, 403, { error: "scope" });
    answer(response, 200, { subject: payload.sub });
  } catch (error) {
    answer(response, error instanceof errors.JOSEError ? 401 : 500, { error: error.message });
  }
});
