// Package jwt authenticates by JSON Web Tokens (RFC 7519) and issues them: pairs
// of a short access token and a refresh token that is used once. It does what
// djangorestframework-simplejwt does, on the same wire, and lets services check
// each other's tokens by published keys.
//
// Choose it where other services must check tokens without asking this one.
// Choose package knox where one service does both: its tokens are shorter, end
// at once, and have nothing to rotate.
//
// A service that checks tokens of another, which publishes its keys by [NewJWKSHandler]:
//
//	keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{URL: "https://login.example/.well-known/jwks.json"})
//	go keys.Run(ctx)
//	tokens, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{
//		Issuer: "https://login.example", Audience: []string{"https://api.example"}, Keys: keys,
//		Profile: jwt.Gatewarden(), // Entra(), Keycloak(), … for tokens of a provider
//		User:    jwt.SubjectUser,
//	}}})
//	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}})
//
// A service that issues them:
//
//	key, err := jwt.GenerateKey(jwt.ES256)
//	keys, err := jwt.NewKeySet(key)
//	tokens, err := jwt.New(jwt.Config{Issuer: "https://api.example", Keys: keys,
//		Store: jwt.NewMemoryStore(), LoadUser: users.Load})
//	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens},
//		Login: []auth.Authenticator{passwords}}) // a password.Authenticator
//	handlers, err := tokens.Handlers(guard)
//	handlers.Register(mux, "/api/token") // obtain, refresh, verify, blacklist, sliding
//
// [Verifier] and [Tokens] are backends. What they prove is a [*Token], the
// credential. Keys come from a [KeySource]: a [KeySet], a [Keyring] that replaces
// its keys in time, or [RemoteKeys].
package jwt
