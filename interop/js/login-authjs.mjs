// A web application with Auth.js, by its package for every framework:
// node login-authjs.mjs ISSUER CLIENT SECRET [JSON of more options of the provider]
import "./node18.mjs";
import { randomBytes } from "node:crypto";
import { Auth } from "@auth/core";
import { answer, listen } from "./listen.mjs";

const [issuer, clientId, clientSecret, more = "{}"] = process.argv.slice(2);

const config = {
  providers: [{ id: "demo", name: "Demo", type: "oidc", issuer, clientId, clientSecret, ...JSON.parse(more) }],
  basePath: "/auth",
  secret: randomBytes(32).toString("hex"),
  trustHost: true,
  callbacks: {
    jwt: ({ token, account }) => (account ? { ...token, subject: account.providerAccountId } : token),
    session: ({ session, token }) => ({ ...session, subject: token.subject }),
  },
};

async function toRequest(request) {
  const body = [];
  for await (const chunk of request) body.push(chunk);
  const { method, headers } = request;
  const url = `http://${headers.host}${request.url}`;
  return new Request(url, { method, headers, body: body.length ? Buffer.concat(body) : undefined });
}

listen(async (request, response) => {
  if (request.url === "/login") return response.writeHead(302, { Location: "/auth/signin" }).end();
  if (request.url === "/logout") return response.writeHead(302, { Location: "/auth/signout" }).end();
  if (request.url === "/") {
    const { headers } = request;
    const session = await (await Auth(new Request(`http://${headers.host}/auth/session`, { headers }), config)).json();
    if (!session) return answer(response, 401, { error: "signed out" });
    const { subject, user } = session;
    return answer(response, 200, { subject, name: user.name, email: user.email });
  }
  const result = await Auth(await toRequest(request), config);
  response.writeHead(result.status, [...result.headers].flat());
  response.end(Buffer.from(await result.arrayBuffer()));
});
