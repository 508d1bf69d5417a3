package oauth2

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/cause"
)

// parseIntrospection reads an answer (RFC 7662 §2.2). It is ErrInvalid for a token that is
// not good. Any other error is an answer that decides nothing.
func parseIntrospection(answer []byte, issuer string, now time.Time) (*Token, error) {
	var a struct {
		Active    *bool    `json:"active"`
		Scope     string   `json:"scope"`
		ClientID  string   `json:"client_id"`
		Username  string   `json:"username"`
		TokenType string   `json:"token_type"`
		Expires   *float64 `json:"exp"`
		Issued    *float64 `json:"iat"`
		NotBefore *float64 `json:"nbf"`
		Subject   string   `json:"sub"`
		Audience  names    `json:"aud"`
		Issuer    string   `json:"iss"`
		ID        string   `json:"jti"`
		AuthTime  *float64 `json:"auth_time"`
		ACR       string   `json:"acr"`
		AMR       names    `json:"amr"`
	}
	text, err := exactNames(answer)
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err != nil {
		return nil, errors.New("an answer that is no JSON object of the right types")
	}
	switch {
	case a.Active == nil:
		return nil, errors.New("an answer without active")
	case !*a.Active:
		return nil, errInactive
	case issuer != "" && a.Issuer != "" && a.Issuer != issuer:
		return nil, &cause.Check{Name: "iss of the answer", Came: []string{a.Issuer}, Want: []string{issuer},
			Owner: "IntrospectionConfig", Setting: "Issuer"}
	}
	t := SharedToken(Token{Issuer: cmp.Or(a.Issuer, issuer), Subject: a.Subject, ClientID: a.ClientID,
		Username: a.Username, Audience: a.Audience, Scope: strings.Fields(a.Scope),
		ID: a.ID, Type: a.TokenType, Auth: auth.AuthInfo{ACR: a.ACR, AMR: a.AMR}})
	instant := func(seconds *float64) time.Time {
		if seconds == nil {
			return time.Time{}
		}
		if !(*seconds >= 0 && *seconds < 1<<40) {
			err = errors.New("an answer with an instant out of range")
			return time.Time{}
		}
		return time.Unix(int64(*seconds), 0).UTC()
	}
	t.Expiry, t.IssuedAt, t.Auth.AuthTime = instant(a.Expires), instant(a.Issued), instant(a.AuthTime)
	notBefore := instant(a.NotBefore)
	if err == nil {
		err = json.Unmarshal(answer, &t.Claims)
	}
	if err == nil {
		t.Confirmation, err = confirmationOf(t.Claims["cnf"])
	}
	if err != nil {
		return nil, err
	}
	// What a server says is active it should know; but its clock is not ours.
	switch {
	case !t.Expiry.IsZero() && !now.Before(t.Expiry):
		return nil, offBy("exp", "of an active token is past, so a clock may be wrong,", now.Sub(t.Expiry))
	case notBefore.After(now.Add(maxEarly)):
		return nil, offBy("nbf", "of an active token is ahead of our clock", notBefore.Sub(now))
	}
	return t, nil
}

// offBy refuses a token by an instant in the answer.
func offBy(name, problem string, d time.Duration) error {
	return invalid(&cause.Check{Name: name, Problem: problem, By: max(d.Truncate(time.Second), time.Second)})
}

// exactNames leaves out the members of an object whose names package json would
// take for others: it does not tell "Active" from "active", and RFC 8259 does.
func exactNames(text []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	maps.DeleteFunc(members, func(name string, _ json.RawMessage) bool {
		return strings.ContainsFunc(name, func(c rune) bool { return c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' })
	})
	return json.Marshal(members)
}

// maxEarly is how far the server's clock may be ahead.
const maxEarly = 5 * time.Second

// names are a string or an array of strings, as "aud".
type names []string

// UnmarshalJSON reads either.
func (n *names) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*n = names{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(n))
}
