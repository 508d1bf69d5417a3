package auth

import (
	"net/http"
	"slices"
)

// addVary adds the guard's Vary line, unless a layer of it did already. The line is shared
// by all answers, so it is never changed.
func (g *Guard) addVary(h http.Header) {
	have := h["Vary"]
	switch {
	case len(g.vary) == 0: // no backend reads a header
	case len(have) == 0:
		h["Vary"] = g.vary
	case !slices.Contains(have, g.vary[0]):
		h["Vary"] = append(slices.Clip(have), g.vary[0])
	}
}

// setHeaders lets an absent-credential error and a credential set headers.
func setHeaders(w http.ResponseWriter, absent error, credential Credential) {
	if w == nil {
		return
	}
	if absent != nil {
		setErrorHeaders(w.Header(), absent)
	}
	// As[HeaderSetter], but faster: Go keeps what a type assertion found, except where the type to
	// look for is a type parameter.
	v := any(credential)
	for range maxWrapped {
		if setter, ok := v.(HeaderSetter); ok {
			setter.SetHeaders(w.Header())
			return
		}
		if v = unwrapped(v); v == nil {
			return
		}
	}
}

// setErrorHeaders lets every error that is joined in err set headers.
func setErrorHeaders(h http.Header, err error) {
	if setter, ok := err.(HeaderSetter); ok {
		setter.SetHeaders(h)
		return
	}
	switch wrapper := err.(type) {
	case *Error: // its Unwrap allocates
		if wrapper != nil {
			setErrorHeaders(h, wrapper.Kind)
			setErrorHeaders(h, wrapper.Cause)
		}
	case interface{ Unwrap() error }:
		setErrorHeaders(h, wrapper.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range wrapper.Unwrap() {
			setErrorHeaders(h, err)
		}
	}
}
