// A web application with passport-openidconnect, written as its README does:
// node login-passport.mjs ISSUER CLIENT SECRET [JSON of more options]
import "./node18.mjs";
import { randomBytes } from "node:crypto";
import express from "express";
import session from "express-session";
import passport from "passport";
import OpenIDConnectStrategy from "passport-openidconnect";
import { listen } from "./listen.mjs";

const [issuer, clientID, clientSecret, more = "{}"] = process.argv.slice(2);

passport.use(
  new OpenIDConnectStrategy(
    {
      issuer,
      authorizationURL: `${issuer}/o/authorize/`,
      tokenURL: `${issuer}/o/token/`,
      userInfoURL: `${issuer}/o/userinfo/`,
      clientID,
      clientSecret,
      callbackURL: "/callback",
      scope: "profile email",
      ...JSON.parse(more),
    },
    (issuer, profile, done) => done(null, profile),
  ),
);
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user, done) => done(null, user));

const app = express();
app.use(session({ secret: randomBytes(32).toString("hex"), resave: false, saveUninitialized: false }));
app.use(passport.session());
app.get("/login", passport.authenticate("openidconnect"));
app.get("/callback", passport.authenticate("openidconnect"), (request, response) => response.redirect("/"));
app.get("/", (request, response) => {
  if (!request.user) return response.status(401).json({ error: "signed out" });
  const { id: subject, displayName: name, emails } = request.user;
  response.json({ subject, name, email: emails?.[0]?.value });
});
app.get("/logout", (request, response, next) => {
  request.logout((error) => (error ? next(error) : response.json({ out: true })));
});
app.use((error, request, response, next) => response.status(400).json({ error: error.code ?? error.message }));
listen(app);
