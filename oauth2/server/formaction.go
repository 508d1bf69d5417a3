package server

import "net/url"

// formAction is where the forms of a page may lead that sends its answer to redirect. Browsers hold every redirect
// that follows a form to this list: the one to the callback of an application, and those that the callback makes to
// hosts of the application. So the list names schemes. A host would also be impossible for http://[::1], because a
// source of CSP Level 3 §2.3.1 cannot name an IPv6 address.
func formAction(redirect string) string {
	u, err := url.Parse(redirect)
	switch {
	case redirect == "" || err != nil:
		return "'self'"
	case u.Scheme == "https":
		return "'self' https:"
	case u.Scheme == "http": // of a loopback host
		return "'self' https: http:"
	}
	return "'self' " + u.Scheme + ":"
}
