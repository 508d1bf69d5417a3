// An API that checks JWT access tokens with express-oauth2-jwt-bearer, as its README says:
// node resource-express.mjs ISSUER AUDIENCE [JSON of more options]
import "./node18.mjs";
import express from "express";
import { auth, requiredScopes } from "express-oauth2-jwt-bearer";
import { listen } from "./listen.mjs";

const [issuerBaseURL, audience, more = "{}"] = process.argv.slice(2);
const app = express();
app.use(auth({ issuerBaseURL, audience, ...JSON.parse(more) }));
app.get("/reports", requiredScopes("reports:read"), (request, response) => {
  response.json({ subject: request.auth.payload.sub });
});
listen(app);
