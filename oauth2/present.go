package oauth2

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gatewarden/auth"
)

// presented is a token as it came.
type presented struct {
	token string
	// header is the request with the token in its Authorization header, if the characters of
	// the token were not checked, and otherwise nil.
	header *http.Request
}

// check reports characters that no token has.
func (p *presented) check() error {
	if p.header == nil {
		return nil
	}
	_, _, err := auth.TokenFrom(p.header, "Bearer")
	p.header = nil
	return err
}

// tokenOf returns the token of a request. It leaves the characters unchecked where the header
// alone can have one.
func (a *Resource) tokenOf(r *http.Request) (presented, error) {
	if a.config.AllowFormToken {
		token, err := a.oneToken(r)
		return presented{token: token}, err
	}
	scheme, token, err := auth.Authorization(r)
	if err != nil {
		return presented{}, err
	}
	if len(scheme) != len("Bearer") || !strings.EqualFold(scheme, "Bearer") {
		_, token, err := auth.TokenFrom(r, "Bearer") // which knows misspelled ones
		return presented{token: token}, err
	}
	if mayHaveToken(r.URL) {
		token, err := a.oneToken(r)
		return presented{token: token}, err
	}
	return presented{token, r}, nil
}

// mayHaveToken reports a URL with a query that has to be parsed for a token. The name of a parameter may
// be percent-encoded. A request that no server has read may have no URL.
func mayHaveToken(u *url.URL) bool {
	return u != nil && (strings.Contains(u.RawQuery, "access_token") || strings.Contains(u.RawQuery, "%"))
}

// oneToken returns the token of a request that may have one in the header, one in the query
// and one in a form.
func (a *Resource) oneToken(r *http.Request) (string, error) {
	_, token, err := auth.TokenFrom(r, "Bearer")
	if err != nil && auth.KindOf(err) != auth.ErrNoCredentials {
		return "", err
	}
	if token != "" && mayHaveToken(r.URL) && r.URL.Query().Has("access_token") {
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
