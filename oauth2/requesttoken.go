package oauth2

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gatewarden/auth"
)

// requestToken is the token of a request.
type requestToken struct {
	token string
	// header is the request with the token in its Authorization header, if the characters of
	// the token were not checked, and otherwise nil.
	header *http.Request
}

// checkSyntax returns an error if the token has characters that no token can have.
func (p *requestToken) checkSyntax() error {
	if p.header == nil {
		return nil
	}
	_, _, err := auth.TokenFrom(p.header, "Bearer")
	p.header = nil
	return err
}

// readToken returns the token of a request. If only the header can have a token, its characters are not checked.
func (a *Resource) readToken(r *http.Request) (requestToken, error) {
	if a.config.AllowFormToken {
		token, err := a.singleToken(r)
		return requestToken{token: token}, err
	}
	scheme, token, err := auth.Authorization(r)
	if err != nil {
		return requestToken{}, err
	}
	if len(scheme) != len("Bearer") || !strings.EqualFold(scheme, "Bearer") {
		_, token, err := auth.TokenFrom(r, "Bearer") // which knows misspelled ones
		return requestToken{token: token}, err
	}
	if queryMayHaveToken(r.URL) {
		token, err := a.singleToken(r)
		return requestToken{token: token}, err
	}
	return requestToken{token, r}, nil
}

// queryMayHaveToken reports whether a query must be parsed, because it may have a token. The name of a parameter may
// be percent-encoded. A request that no server has read may have no URL.
func queryMayHaveToken(u *url.URL) bool {
	return u != nil && (strings.Contains(u.RawQuery, "access_token") || strings.Contains(u.RawQuery, "%"))
}

// singleToken returns the token of the header or of the form. Two tokens are an error (RFC 6750 §2). A token in the
// query is not used, and is an error beside one in the header.
func (a *Resource) singleToken(r *http.Request) (string, error) {
	_, token, err := auth.TokenFrom(r, "Bearer")
	if err != nil && auth.KindOf(err) != auth.ErrNoCredentials {
		return "", err
	}
	if token != "" && queryMayHaveToken(r.URL) && r.URL.Query().Has("access_token") {
		return "", errTwoTokens
	}
	if !a.config.AllowFormToken || !isForm(r) {
		return token, err
	}
	inForm, formErr := formToken(r)
	switch {
	case formErr != nil:
		return "", formErr
	case inForm != "" && token != "":
		return "", errTwoTokens
	case inForm != "":
		return inForm, nil
	}
	return token, err
}
