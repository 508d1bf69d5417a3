// An application written with oauth4webapi: node oauth4webapi.mjs URL CLIENT
import "./node18.mjs";
import * as oauth from "oauth4webapi";
import { signIn } from "./browser.mjs";

const [url, client_id] = process.argv.slice(2);
const client = { client_id };
const secret = { "demo-web": "demo-web-secret" }[client_id];
const how = secret ? oauth.ClientSecretBasic(secret) : oauth.None();
const options = { [oauth.allowInsecureRequests]: true };
const as = await oauth.processDiscoveryResponse(new URL(url), await oauth.discoveryRequest(new URL(url), { ...options, algorithm: "oauth2" }));
const redirect_uri = "http://127.0.0.1:51004/callback";
const did = {};
const code = async (work) => {
  try {
    await work();
    return "nothing";
  } catch (e) {
    return e.error ?? e.cause?.get?.("error") ?? e.code ?? e.message;
  }
};

const verifier = oauth.generateRandomCodeVerifier();
const code_challenge = await oauth.calculatePKCECodeChallenge(verifier);
const ask = (more) => `${as.authorization_endpoint}?${new URLSearchParams({ client_id, redirect_uri, response_type: "code", scope: "openid email reports:read", code_challenge, code_challenge_method: "S256", state: "state", nonce: "nonce", ...more })}`;
const redeem = async (params) =>
  oauth.processAuthorizationCodeResponse(as, client, await oauth.authorizationCodeGrantRequest(as, client, how, params, redirect_uri, verifier, options), { expectedNonce: "nonce", requireIdToken: true });
const refresh = async (token) => oauth.processRefreshTokenResponse(as, client, await oauth.refreshTokenGrantRequest(as, client, how, token, options));
const introspect = async (token) => (await oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, how, token, options))).active;

const authorize = await signIn(url);
const tokens = await redeem(oauth.validateAuthResponse(as, client, await authorize(ask()), "state"));
const claims = oauth.getValidatedIdTokenClaims(tokens);
did.subject = claims.sub;
did.nonce = claims.nonce === "nonce" ? "checked" : "not";
did.scope = tokens.scope;
did.email = (await oauth.processUserInfoResponse(as, client, claims.sub, await oauth.userInfoRequest(as, client, tokens.access_token, options))).email;
if (secret) {
  did.active = await introspect(tokens.access_token);
  const posted = await authorize(ask({ response_mode: "form_post" }));
  did.formPost = oauth.getValidatedIdTokenClaims(await redeem(oauth.validateAuthResponse(as, client, new URLSearchParams(await posted.text()), "state"))).sub;
}
const next = await refresh(tokens.refresh_token);
did.refreshed = next.refresh_token !== tokens.refresh_token && Boolean(next.access_token);
did.replayed = await code(() => refresh(tokens.refresh_token));
did.family = await code(() => refresh(next.refresh_token));
if (secret) did.inactive = await introspect(next.access_token);

const stranger = await fetch(ask({ prompt: "none" }), { redirect: "manual" });
did.none = await code(() => oauth.validateAuthResponse(as, client, new URL(stranger.headers.get("Location")), "state"));
const denied = await authorize(ask({ prompt: "consent" }), { deny: "Deny" });
did.denied = await code(() => oauth.validateAuthResponse(as, client, denied, "state"));
const good = await authorize(ask());
did.wrongState = (await code(() => oauth.validateAuthResponse(as, client, good, "other"))) !== "nothing";
const mixed = new URL(good);
mixed.searchParams.set("iss", "https://evil.example");
did.wrongIssuer = (await code(() => oauth.validateAuthResponse(as, client, mixed, "state"))) !== "nothing";
const last = await redeem(oauth.validateAuthResponse(as, client, good, "state"));
await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, how, last.refresh_token, options));
did.revoked = (await fetch(`${url}/api/me`, { headers: { Authorization: `Bearer ${last.access_token}` } })).status === 401;
did.endSession = as.end_session_endpoint === `${url}/o/logout/`;
console.log(JSON.stringify(did));
