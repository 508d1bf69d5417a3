package server

import "net/url"

var errPostToScheme = failedCheck("the response_mode is form_post, and the redirect URI has a private-use scheme")

// readResponseMode reads how the answer is sent. The system of a user's machine gives a program the address and no
// form, so a private-use scheme gets every answer in the query, also this refusal (RFC 8252 §7.1).
func (a *authorization) readResponseMode(req authorizationForm) error {
	if req.twice["response_mode"] {
		return nil // checkTwice refuses it
	}
	switch mode := req.form.Get("response_mode"); mode {
	case "", "query":
		return nil
	case "form_post":
		if isPrivateUse(a.RedirectURI) {
			return refuse(CodeInvalidRequest, "The response_mode of a redirect URI with a private-use scheme must be "+
				"query.",
				errPostToScheme)
		}
		a.FormPost = true
		return nil
	default:
		return refuse(CodeInvalidRequest, "The response_mode must be query or form_post.",
			failedValue("the response_mode is not supported", mode))
	}
}

// isPrivateUse reports a redirect URI with a private-use scheme, such as com.example.app:/callback.
func isPrivateUse(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && u.Scheme != "https" && u.Scheme != "http"
}
