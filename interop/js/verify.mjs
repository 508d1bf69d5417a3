// A service of somebody else's: it logs in at URL, and checks the tokens by the
// keys that are published there. It prints what jose said of each.
import "./node18.mjs";
import { createRemoteJWKSet, jwtVerify } from "jose";

const url = process.argv[2];
const login = await fetch(`${url}/api/token/`, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ username: "alice", password: "correct-horse-battery" }),
});
const { access, refresh } = await login.json();

const keys = createRemoteJWKSet(new URL(`${url}/.well-known/jwks.json`));
const wanted = { issuer: `${url}/api/token`, audience: url, typ: "at+jwt" };

async function verdict(token, options) {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys, { ...wanted, ...options });
    return { payload, header: protectedHeader };
  } catch (error) {
    return { code: error.code, claim: error.claim };
  }
}

function tampered(token) {
  const [header, payload, signature] = token.split(".");
  const claims = JSON.parse(Buffer.from(payload, "base64url"));
  claims.sub = "admin";
  return [header, Buffer.from(JSON.stringify(claims)).toString("base64url"), signature].join(".");
}

const anybody = { audience: undefined };
console.log(JSON.stringify({
  access: await verdict(access),
  tampered: await verdict(tampered(access)),
  elsewhere: await verdict(access, { audience: "https://other.example" }),
  refresh: await verdict(refresh, anybody),
  refreshAsRefresh: await verdict(refresh, { ...anybody, typ: "refresh+jwt" }),
}));
