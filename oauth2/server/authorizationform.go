package server

import (
	"errors"
	"net/http"
	"net/url"
)

// authorizationForm are the parameters of an authorization authorizationForm, and those that were
// there more than once.
type authorizationForm struct {
	form  Form
	twice map[string]bool
}

var errRequestObject = errors.New("the request has a request or request_uri (RFC 9101)")

var errQuery = errors.New("the query is badly encoded")

// readAuthorizationForm collects parameters. A POST has them in its body (OpenID Connect Core
// §3.1.2.1). What is in its query besides is there twice.
func readAuthorizationForm(r *http.Request) (authorizationForm, error) {
	if len(r.URL.RawQuery) > maxBody {
		return authorizationForm{}, errLongBody
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return authorizationForm{}, refuse(CodeInvalidRequest, "The query is no form.", errQuery)
	}
	form := make(url.Values)
	req := authorizationForm{form: NewForm(form), twice: make(map[string]bool)}
	values := query
	if r.Method == http.MethodPost {
		if values, err = bodyValues(r); err != nil {
			return authorizationForm{}, err
		}
		for name, all := range query {
			req.twice[name] = true
			values[name] = append(values[name], all...)
		}
	}
	for name, all := range values {
		for _, value := range all {
			switch {
			case len(all) > 1 && name != "resource":
				req.twice[name] = true
			case !isText(value) || !isText(name):
				return authorizationForm{}, errNotText(name)
			case value != "":
				form.Add(name, value)
			}
		}
	}
	return req, nil
}
