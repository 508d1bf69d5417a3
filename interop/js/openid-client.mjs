// An application written with openid-client: node openid-client.mjs URL CLIENT
import "./node18.mjs";
import * as client from "openid-client";
import { signIn } from "./browser.mjs";

const [url, id] = process.argv.slice(2);
const secret = { "demo-web": "demo-web-secret", "demo-job": "demo-job-secret" }[id];
const config = await client.discovery(new URL(url), id, secret, secret ? undefined : client.None(), { execute: [client.allowInsecureRequests] });
const redirect_uri = "http://127.0.0.1:51004/callback";
const did = {};
const code = (promise) => promise.then(() => "nothing", (e) => e.error ?? e.cause?.error ?? e.code);

if (id === "demo-job") {
  const tokens = await client.clientCredentialsGrant(config, { scope: "reports:read" });
  const me = await client.fetchProtectedResource(config, tokens.access_token, new URL(`${url}/api/me`), "GET");
  console.log(JSON.stringify({ type: tokens.token_type, refresh: Boolean(tokens.refresh_token), me: (await me.json()).client }));
  process.exit(0);
}

const verifier = client.randomPKCECodeVerifier();
const code_challenge = await client.calculatePKCECodeChallenge(verifier);
const ask = (more) => client.buildAuthorizationUrl(config, { redirect_uri, scope: "openid email reports:read", code_challenge, code_challenge_method: "S256", state: "state", nonce: "nonce", ...more });
const checks = { pkceCodeVerifier: verifier, expectedState: "state", expectedNonce: "nonce" };

const authorize = await signIn(url);
const tokens = await client.authorizationCodeGrant(config, await authorize(ask()), checks);
did.subject = tokens.claims().sub;
did.nonce = tokens.claims().nonce === "nonce" ? "checked" : "not";
did.scope = tokens.scope;
did.email = (await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)).email;
if (secret) {
  did.active = (await client.tokenIntrospection(config, tokens.access_token)).active;
  const posted = await client.authorizationCodeGrant(config, await authorize(ask({ response_mode: "form_post" })), checks);
  did.formPost = posted.claims().sub;
}
const next = await client.refreshTokenGrant(config, tokens.refresh_token);
did.refreshed = next.refresh_token !== tokens.refresh_token && Boolean(next.access_token);
did.replayed = await code(client.refreshTokenGrant(config, tokens.refresh_token));
did.family = await code(client.refreshTokenGrant(config, next.refresh_token));
if (secret) did.inactive = (await client.tokenIntrospection(config, next.access_token)).active;

const stranger = await fetch(ask({ prompt: "none" }), { redirect: "manual" });
did.none = await code(client.authorizationCodeGrant(config, new URL(stranger.headers.get("Location")), checks));
did.denied = await code(client.authorizationCodeGrant(config, await authorize(ask({ prompt: "consent" }), { deny: "Deny" }), checks));
const good = await authorize(ask());
did.wrongState = (await code(client.authorizationCodeGrant(config, good, { ...checks, expectedState: "other" }))) !== "nothing";
const mixed = new URL(good);
mixed.searchParams.set("iss", "https://evil.example");
did.wrongIssuer = (await code(client.authorizationCodeGrant(config, mixed, checks))) !== "nothing";
const last = await client.authorizationCodeGrant(config, good, checks);
await client.tokenRevocation(config, last.refresh_token);
did.revoked = (await fetch(`${url}/api/me`, { headers: { Authorization: `Bearer ${last.access_token}` } })).status === 401;
did.endSession = client.buildEndSessionUrl(config, { id_token_hint: last.id_token, post_logout_redirect_uri: "http://127.0.0.1:8000/" }).href.startsWith(`${url}/o/logout/?`);
console.log(JSON.stringify(did));
