package server

import (
	"context"
	"net/url"
	"time"
)

// SignInRequest is what a login is needed for.
type SignInRequest struct {
	// ReturnTo is the path and query to which the browser must come back with GET after the login. It
	// holds the request of the application, sealed. It has mostly less than 1000 bytes, and at most 3500,
	// all of them of A-Z, a-z, 0-9 and "/?=-_". A redirect will do, also from a form with
	// form-action 'self' in its Content-Security-Policy: see [ContinuePage].
	ReturnTo string
	// Fresh wants a new proof of the user, though a user is signed in.
	Fresh  bool
	MaxAge time.Duration // at most so long ago, less than 0 is any
	Hint   string        // "login_hint": which user the client expects, not to be trusted
	ACR    []string      // "acr_values", best first
	Client *Client       // which asked
}

// SignInRequest returns what a login is needed for, by the ReturnTo that Config.SignIn was
// given. Any page of the login can call it that knows where the login leads, and no parameter
// of the application's own has to travel with the browser. It is nil if the path is another
// one, or if the request has expired: the login goes on without it.
//
// A page that shows the Hint or the Client tells them to every holder of the ReturnTo. A holder can
// also go on with the request, signed in as somebody else, until it was answered or expires after 30
// minutes. Keep the ReturnTo out of
// logs, and out of links to others. It signs no user in.
//
// A page puts the Hint into its form. A login looks at the ACR, asks for as much as it can, and
// puts what it reached into the session:
//
//	BeforeLogin: func(r *http.Request, user auth.User, o *session.Options) error {
//		login, err := srv.SignInRequest(r.Context(), o.ReturnTo)
//		if login != nil && slices.Contains(login.ACR, "2") {
//			// ask for a second factor first
//		}
//		o.AuthInfo.ACR = "1"
//		return err
//	}
func (s *Server) SignInRequest(ctx context.Context, returnTo string) (*SignInRequest, error) {
	kept := s.requestIn(returnTo)
	if kept == "" {
		return nil, nil
	}
	a, cause := s.openRequest(kept)
	if cause != nil {
		return nil, nil
	}
	client, cause, err := s.enabledClient(ctx, a.ClientID)
	if cause != nil || err != nil { // the client is told when the browser comes back
		return nil, err
	}
	return signInRequest(s.resumeURL(kept), client, a), nil
}

// requestIn returns what an address holds that goes on with a request, or "".
func (s *Server) requestIn(returnTo string) string {
	u, err := url.Parse(returnTo)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Path != s.config.Endpoints.Path+"/authorize/" {
		return ""
	}
	return u.Query().Get("interaction")
}

func signInRequest(returnTo string, client *Client, a *authorization) *SignInRequest {
	return &SignInRequest{ReturnTo: returnTo, Fresh: a.Fresh, MaxAge: a.MaxAge, Hint: a.LoginHint,
		ACR: a.ACR, Client: client}
}
