// An OpenID provider for one client: node oidc-provider.mjs id secret redirect_uri
// post_logout_redirect_uri. Whoever comes is signed in as the account that POST /person
// names, and agrees to everything; POST /rotate replaces the key that signs.
import { createServer } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import "./node18.mjs";
import Provider from "oidc-provider";

const [, , id, secret, redirect, postLogout] = process.argv;
let person = "ada";
let serial = 0;
let handle;

function rotate() {
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
  const provider = new Provider(issuer, {
    clients: [{ client_id: id, client_secret: secret, redirect_uris: [redirect], post_logout_redirect_uris: [postLogout],
      grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], id_token_signed_response_alg: "ES256" }],
    jwks: { keys: [{ ...key, use: "sig", alg: "ES256", kid: `key-${++serial}` }] },
    cookies: { keys: ["interop only"] },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "preferred_username"] },
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    issueRefreshToken: async () => true,
    async findAccount(_, sub) {
      return { accountId: sub, claims: async () => ({ sub, email: `${sub}@example.com`, email_verified: true, name: `${sub} of Node`, preferred_username: sub }) };
    },
  });
  const callback = provider.callback();
  handle = async (req, res) => {
    if (!req.url.startsWith("/interaction/")) return callback(req, res);
    const { prompt, params, session } = await provider.interactionDetails(req, res);
    if (prompt.name === "login") return provider.interactionFinished(req, res, { login: { accountId: person } });
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    return provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } });
  };
}

const server = createServer(async (req, res) => {
  if (req.method === "POST" && req.url === "/rotate") {
    rotate();
    return res.end();
  }
  if (req.method === "POST" && req.url.startsWith("/person/")) {
    person = req.url.slice("/person/".length);
    return res.end();
  }
  try {
    await handle(req, res);
  } catch (error) {
    console.error(error);
    res.writeHead(500).end();
  }
});
let issuer;
server.listen(0, "127.0.0.1", () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  rotate();
  console.log(`listening on ${issuer}`);
});
