package session

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/gatewarden/auth/backend"
)

// maxBody is the longest request body that is read, in bytes.
const maxBody = 8 << 10

// form is what a body says besides the credentials, which the login backend has
// judged. Nothing in it is an error.
type form struct {
	wanted   string // the next, may be ""
	remember bool
	json     bool // the answer is for a program
}

func readForm(r *http.Request) (f form) {
	body, _ := backend.ReadBody(r, maxBody)
	f.json = body.Type == backend.TypeJSON || prefersJSON(r)
	switch body.Type {
	case backend.TypeJSON:
		members, _ := body.Members()
		f.wanted, _ = backend.Text(members["next"])
		f.remember = string(members["remember"]) == "true"
	case backend.TypeForm, backend.TypeMultipart:
		if fields, err := body.Form(); err == nil {
			f.wanted = fields.Get("next")
			f.remember = slices.Contains([]string{"on", "1", "true", "yes"}, fields.Get("remember"))
		}
	}
	if f.wanted == "" {
		f.wanted = r.URL.Query().Get("next")
	}
	return f
}

// prefersJSON reports a client that accepts JSON by name, and a page less.
func prefersJSON(r *http.Request) bool {
	if WantsPage(r) {
		return false
	}
	_, quality := accepted(r)
	return quality > 0
}

// next returns where the browser goes.
func (f form) next(otherwise string) string {
	if path, ok := backend.LocalPath(cmp.Or(f.wanted, otherwise)); ok {
		return path
	}
	return "/"
}
