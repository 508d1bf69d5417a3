// An identity provider of somebody else's, by jose: metadata, a JWK Set, tokens
// for whoever asks, and new keys when told to.
import "./node18.mjs";
import { createServer } from "node:http";
import { SignJWT, calculateJwkThumbprint, exportJWK, exportSPKI, generateKeyPair } from "jose";

const algorithms = ["ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA"];
const generations = []; // the newest last; each has a key per algorithm

async function rotate() {
  const keys = {};
  for (const alg of algorithms) {
    const { publicKey, privateKey } = await generateKeyPair(alg);
    const jwk = { ...(await exportJWK(publicKey)), alg, use: "sig" };
    jwk.kid = await calculateJwkThumbprint(jwk);
    keys[alg] = { publicKey, privateKey, jwk };
  }
  generations.push(keys);
  if (generations.length > 2) generations.shift(); // the one before stays published
}

// mint signs { alg, header, claims }: with the public key's PEM as the secret
// of HS256, if the algorithm is "confused".
async function mint({ alg, header, claims }) {
  const keys = generations.at(-1);
  const token = new SignJWT({ iss: url, sub: "alice", aud: "https://api.example", ...claims }).setIssuedAt();
  if (claims?.exp === undefined) token.setExpirationTime("5m");
  if (alg === "confused") {
    const { publicKey, jwk } = keys.RS256;
    const secret = new TextEncoder().encode(await exportSPKI(publicKey));
    return token.setProtectedHeader({ alg: "HS256", kid: jwk.kid, typ: "at+jwt" }).sign(secret);
  }
  const { privateKey, jwk } = keys[alg];
  return token.setProtectedHeader({ alg, kid: jwk.kid, typ: "at+jwt", ...header }).sign(privateKey);
}

async function answer(path, body) {
  switch (path) {
    case "/.well-known/openid-configuration":
      return { issuer: url, jwks_uri: `${url}/keys` };
    case "/keys":
      return { keys: generations.flatMap((keys) => Object.values(keys).map(({ jwk }) => jwk)) };
    case "/rotate":
      await rotate();
      return {};
    case "/mint":
      return { token: await mint(JSON.parse(body)) };
  }
}

const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const result = await answer(request.url, body);
  response.writeHead(result ? 200 : 404, { "Content-Type": "application/json" }).end(JSON.stringify(result ?? {}));
});
await rotate();
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const url = `http://127.0.0.1:${server.address().port}`;
console.log("listening on", url);
