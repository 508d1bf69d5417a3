package backend_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// FuzzPageOf checks that a page of a request is one that lists take, or refused with a
// cause, and that the link to the next page leads there.
func FuzzPageOf(f *testing.F) {
	const cursor = "0197f9a0-5f3e-7c00-8000-0123456789ab"
	for _, query := range []string{"", "limit=1", "limit=100", "limit=101", "limit=0", "limit=-1", "limit=%31",
		"limit=", "limit=1&limit=1",
		"limit=+5", "limit=99999999999999999999", "cursor=" + cursor, "cursor=" + cursor + "&limit=7&x=a;b", "cursor=",
		"cursor",
		"cursor=" + strings.ToUpper(cursor), "cursor={" + cursor + "}", "cursor=urn:uuid:" + cursor,
		"cursor=" + cursor + "&cursor=" + cursor,
		"cursor=0197f9a0-5f3e-4c00-8000-0123456789ab", "%zz", "x=%3E%3B%20rel%3Dnext&%0d%0a=1"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "/list", nil)
		r.URL.RawQuery = query
		page, err := backend.ParsePage(r)
		if err != nil {
			if e := (*auth.Error)(nil); auth.KindOf(err) != auth.ErrMalformed || !errors.As(err, &e) ||
				e.Cause == nil || page != (backend.Page{}) {
				t.Errorf("got %+v, %v, want ErrMalformed with a cause", page, err)
			}
			return
		}
		if checked, err := page.Checked(); err != nil || checked != page || page.Limit < 1 || page.Limit > 100 {
			t.Errorf("got %+v, which lists refuse or change: %+v, %v", page, checked, err)
		}
		h := http.Header{}
		backend.SetNextLink(h, r, cursor)
		link := h.Get("Link")
		target, found := strings.CutSuffix(link, `>; rel="next"`)
		if !found || !strings.HasPrefix(target, "<?") || strings.ContainsAny(target[1:], "<>\"\r\n ") {
			t.Fatalf("got the link %q", link)
		}
		at, err := url.Parse(target[1:])
		if err != nil {
			t.Fatalf("got the link %q: %v", link, err)
		}
		r.URL.RawQuery = at.RawQuery
		if next, err := backend.ParsePage(r); err != nil || next != (backend.Page{After: cursor, Limit: page.Limit}) {
			t.Errorf("got %+v, %v by the link %q, want the next page of %+v", next, err, link, page)
		}
	})
}
