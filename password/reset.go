package password

import (
	"errors"
	"net/http"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// ResetConfig is the configuration of [Reset]. Tokens and UpdateConfig are required.
type ResetConfig struct {
	UpdateConfig

	// Tokens issued the links, for PurposeReset. They are among UpdateConfig.Revokers
	// without being named there.
	Tokens *OneTimeTokens
	// Redirect is the path of this site that a browser which posted a form is
	// sent to afterwards, such as that of the login. Empty answers 204 to them
	// too.
	Redirect string
}

// Reset is the handler by which users that forgot their password set another one,
// with the token of a link that was mailed to them (see [OneTimeTokens]):
//
//	POST {"token": "…", "new": "…"}, or a form of these, of at most 8 KiB
//
// It takes no notice of the credentials of a request, and logs no user in. It refuses
// requests that a page of another origin made a browser send, with 403, and other
// methods with 405. Then, in this order, by Guard.Answer:
//
//   - 415 "unsupported_media_type": the body is not JSON and not a form, and Accept
//     names the types that are read
//   - 400 "invalid_request": the body is broken or a field is missing
//   - 400 "invalid_token": the token is not good, for whatever reason
//   - 400 with the code of the first reason and all as "errors", an array of
//     {"code", "detail"}: UpdateConfig.Validators refuse the new password, and the
//     token is not used up
//   - 503: a store or the loader is down, or the Hasher busy. The token is used
//     up only just before the password is stored. If that fails the user needs
//     another link. With "password_changed": true the new password holds, but
//     some of what was issued before may have been left. The remedy is another
//     reset
//
// On success, 204 or 303, the new password is stored and all that UpdateConfig.Revokers
// issued to the user is ended. A client that goes away does not interrupt this.
//
// Nothing slows guessing down: a token has more than 160 bits of chance. It is
// safe for concurrent use.
type Reset struct {
	shared  *updater
	tokens  *OneTimeTokens
	handler http.Handler
}

var _ http.Handler = (*Reset)(nil)

var errTokenAndNew error = &auth.Error{Kind: auth.ErrMalformed, Detail: "The body must be JSON or a form with token " +
	"and new.",
	Cause: errors.New("password: the body of the reset lacks token or new")}

// NewReset returns a Reset, or an error that says which setting is missing or
// wrong. The guard proves no user here: its Proxies, CrossOrigin, Preflight and
// Render serve the handler.
func NewReset(guard *auth.Guard, config ResetConfig) (*Reset, error) {
	settings := backend.Settings{Package: "password"}
	settings.Need("ResetConfig.Tokens", config.Tokens)
	if err := settings.Err(); err != nil {
		return nil, err
	}
	shared, err := newUpdater(guard, config.UpdateConfig, config.Redirect)
	if err != nil {
		return nil, err
	}
	shared.Revokers = append(shared.Revokers, config.Tokens)
	s := &Reset{shared: shared, tokens: config.Tokens}
	s.handler = backend.NewEndpoint(shared.guard, anonymous, backend.Methods{"POST": s.post})
	return s, nil
}

// anonymous is middleware that proves no request. A stale credential
// of the browser must not keep its user from resetting the password, and a good
// one must not be the one that survives.
func anonymous(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(auth.WithIdentity(r.Context(), nil, nil)))
	})
}

// ServeHTTP implements [http.Handler].
func (s *Reset) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

func (s *Reset) post(w http.ResponseWriter, r backend.Request) {
	user, encoded, err := s.check(r.Request)
	if err != nil {
		s.shared.refuse(w, r.Request, user, err)
		return
	}
	stored, err := s.shared.store(w, r.Request, user, encoded)
	if errors.Is(err, ErrChanged) && !stored {
		err = badLink(&userError{user.UserID(), ErrChanged})
	}
	s.shared.answer(w, r.Request, user, EventReset, stored, err)
}

// check checks a request and uses its token up. It returns the user of the token and the string to
// store for the new password. With an error, the user is that of the token,
// if the token was good.
func (s *Reset) check(r *http.Request) (user auth.User, encoded string, err error) {
	values, err := s.shared.read(r, errTokenAndNew, "token", "new")
	if err != nil {
		return nil, "", err
	}
	token, chosen := values[0], values[1]
	_, user, _, err = s.tokens.check(r.Context(), PurposeReset, token, true)
	if err != nil {
		return nil, "", err
	}
	if err := s.shared.validate(r.Context(), user, chosen); err != nil {
		return user, "", err
	}
	if encoded, err = s.shared.Hasher.Hash(r.Context(), chosen); err != nil {
		return user, "", err
	}
	redeemed, _, err := s.tokens.Redeem(r.Context(), PurposeReset, token)
	if err != nil {
		return user, "", err
	}
	return redeemed, encoded, nil
}
