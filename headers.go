package auth

import (
	"net/http"
	"slices"
)

// addVary adds the guard's Vary line, unless a layer of it did already.
func addVary(h http.Header, line *[1]string) {
	have := h["Vary"]
	switch {
	case line[0] == "": // no backend reads a header
	case len(have) == 0:
		h["Vary"] = line[:1:1]
	case !slices.Contains(have, line[0]):
		h["Vary"] = append(have, line[0])
	}
}

// setHeaders lets an absent-credential error and a credential set headers.
func setHeaders(w http.ResponseWriter, absent error, credential Credential) {
	if w == nil {
		return
	}
	setErrorHeaders(w.Header(), absent)
	if setter, ok := As[HeaderSetter](credential); ok {
		setter.SetHeaders(w.Header())
	}
}

// setErrorHeaders lets every error that is joined in err set headers.
func setErrorHeaders(h http.Header, err error) {
	if setter, ok := err.(HeaderSetter); ok {
		setter.SetHeaders(h)
		return
	}
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		setErrorHeaders(h, wrapper.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range wrapper.Unwrap() {
			setErrorHeaders(h, err)
		}
	}
}
