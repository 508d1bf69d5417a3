package fetch_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gatewarden/auth/internal/fetch"
)

func TestUnitMetadataThatCannotBeUsedNamesItsPlaceAndTheFault(t *testing.T) {
	for sentence, row := range map[string]struct {
		answer http.HandlerFunc
		want   []string // URL stands for that of the issuer
	}{
		"missing": {http.NotFound, []string{"URL/tenant/.well-known/openid-configuration: 404 Not Found",
			"URL/.well-known/oauth-authorization-server/tenant: 404 Not Found"}},
		"a server that is down": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) },
			[]string{"URL/tenant/.well-known/openid-configuration: status 502"}},
		"a page": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "text/html") },
			[]string{`URL/tenant/.well-known/openid-configuration: the answer is of the type "text/html"`}},
		"another issuer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"issuer":"https://other.example/"}`))
		}, []string{`it says "https://other.example/", and the setting is "URL/tenant"`}},
	} {
		t.Run(sentence, func(t *testing.T) {
			issuer := httptest.NewServer(row.answer)
			defer issuer.Close()
			_, err := fetch.Discover(t.Context(), fetch.Client(nil), issuer.URL+"/tenant")
			if err == nil {
				t.Fatal("want an error")
			}
			for _, want := range row.want {
				if want = strings.ReplaceAll(want, "URL", issuer.URL); !strings.Contains(err.Error(), want) {
					t.Errorf("want %s, got %v", want, err)
				}
			}
		})
	}
	t.Run("a place has no user and no query", func(t *testing.T) {
		r := httptest.NewRequest("GET", "https://me:secret@a.example/x?token=secret", nil)
		if got := fetch.Place(r.URL); got != "https://a.example/x" {
			t.Errorf("want https://a.example/x, got %s", got)
		}
	})
}

const openID, oauth = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"

// issuerWith answers the paths of documents, in which ISSUER stands for the issuer.
func issuerWith(t *testing.T, path string, documents map[string]string) (issuer string, asked *[]string) {
	t.Helper()
	asked = new([]string)
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.Path)
		text, ok := documents[r.URL.Path]
		switch status, err := strconv.Atoi(text); {
		case !ok:
			http.NotFound(w, r)
		case err == nil:
			w.WriteHeader(status)
		case strings.HasPrefix(text, "https://"):
			http.Redirect(w, r, text, http.StatusFound)
		case strings.HasPrefix(text, "<"):
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte(text))
		default:
			w.Header().Set("Content-Type", "binary/octet-stream") // as a store of files says
			_, _ = w.Write([]byte(strings.ReplaceAll(text, "ISSUER", server.URL+path)))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL + path, asked
}

func TestUnitTheFirstDocumentOfTheIssuerDecides(t *testing.T) {
	const ours, others = `{"issuer":"ISSUER","name":"ours"}`, `{"issuer":"https://other.example","name":"other"}`
	type places map[string]string
	for sentence, row := range map[string]struct {
		path      string
		documents places
		asked     int
	}{
		"after the issuer":                  {"/a", places{"/a" + openID: ours, oauth + "/a": others}, 1},
		"between host and path":             {"/a", places{oauth + "/a": ours}, 2},
		"between them, as OpenID providers": {"/a", places{openID + "/a": ours}, 3},
		"an issuer without a path":          {"", places{oauth: ours}, 2},
		"an issuer with a slash":            {"/", places{openID: ours}, 1},
		"behind another issuer's document":  {"/a", places{"/a" + openID: others, oauth + "/a": ours}, 2},
		"behind a page":                     {"/a", places{"/a" + openID: "<html>", oauth + "/a": ours}, 2},
		"behind a login page elsewhere": {"/a", places{"/a" + openID: "https://login.example/",
			oauth + "/a": ours}, 2},
		"behind a document without an issuer": {"/a", places{"/a" + openID: `{}`, oauth + "/a": ours}, 2},
		"behind null":                         {"/a", places{"/a" + openID: `null`, oauth + "/a": ours}, 2},
		"behind a 403, as a store of files":   {"/a", places{"/a" + openID: "403", oauth + "/a": ours}, 2},
		"behind a 400 and a 405": {"/a", places{"/a" + openID: "400", oauth + "/a": "405",
			openID + "/a": ours}, 3},
	} {
		t.Run(sentence, func(t *testing.T) {
			issuer, asked := issuerWith(t, row.path, row.documents)
			m, err := fetch.Discover(t.Context(), fetch.Client(nil), issuer)
			if err != nil || !m.Has("name") || len(*asked) != row.asked {
				t.Errorf("want our document at place %d, got %v %v, asked %v", row.asked, m, err, *asked)
			}
		})
	}
	t.Run("no document is ours, and each place says why", func(t *testing.T) {
		issuer, _ := issuerWith(t, "/a", map[string]string{"/a" + openID: others, oauth + "/a": "<html>"})
		host := strings.TrimSuffix(issuer, "/a")
		_, err := fetch.Discover(t.Context(), fetch.Client(nil), issuer)
		for _, want := range []string{
			issuer + openID + `: metadata is of another issuer (RFC 8414 §3.3): it says "https://other.example"`,
			host + oauth +
				`/a: the answer is of the type "text/html" and not of a JSON type: metadata is no JSON object`,
			host + openID + "/a: 404 Not Found",
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %s, got %v", want, err)
			}
		}
		if !errors.Is(err, fetch.ErrNotThere) {
			t.Errorf("want the causes of all places, got %v", err)
		}
	})
	for sentence, status := range map[string]string{"an error of the server": "500", "a server that is down": "503",
		"a server that has had too many requests": "429"} {
		t.Run(sentence+" is asked once", func(t *testing.T) {
			issuer, asked := issuerWith(t, "/a", map[string]string{"/a" + openID: status, oauth + "/a": ours})
			_, err := fetch.Discover(t.Context(), fetch.Client(nil), issuer)
			if err == nil || len(*asked) != 1 || !strings.Contains(err.Error(), issuer+openID+": status "+status) {
				t.Errorf("want the status by one request, got %v by %v", err, *asked)
			}
		})
	}
	t.Run("a host that cannot be reached is asked once", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		_, err := fetch.Discover(t.Context(), fetch.Client(nil), server.URL+"/a")
		if err == nil || strings.Contains(err.Error(), oauth) {
			t.Errorf("want the first place only, got %v", err)
		}
	})
}

func TestUnitAnOptionalMemberOfMetadataThatIsOddIsAbsent(t *testing.T) {
	read := func(member string) *fetch.Metadata {
		t.Helper()
		m, err := fetch.ParseMetadata([]byte(`{"issuer":"https://a.example","it":`+member+`}`), "https://a.example")
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, row := range []struct {
		member, url string
		list        []string
		flag        bool
		ignored     int // of the three readings
	}{
		{`null`, "", nil, false, 0},
		{`"https://a.example/x"`, "https://a.example/x", nil, false, 2},
		{`["a","b"]`, "", []string{"a", "b"}, false, 2},
		{`["a",null,7,{},"b"]`, "", []string{"a", "b"}, false, 2},
		{`[]`, "", nil, false, 2},
		{`true`, "", nil, true, 2},
		{`"true"`, "", nil, false, 3},
		{`7`, "", nil, false, 3},
		{`{}`, "", nil, false, 3},
		{`""`, "", nil, false, 3},
		{`"http://a.example/x"`, "", nil, false, 3},
		{`"https://me:secret@a.example/x"`, "", nil, false, 3},
		{`"` + "https://a.example/" + strings.Repeat("x", 3000) + `"`, "", nil, false, 3},
	} {
		m := read(row.member)
		url, list, flag := m.OptionalURL("it"), m.List("it"), m.Flag("it")
		if url != row.url || !slices.Equal(list, row.list) || flag != row.flag || len(m.Ignored()) != row.ignored {
			t.Errorf("%.50s: want %q %v %v and %d ignored, got %q %v %v and %v", row.member, row.url,
				row.list, row.flag,
				row.ignored, url, list, flag, m.Ignored())
		}
	}
	if _, err := read(`7`).URL("it"); err == nil {
		t.Error("want an error for a required member")
	}
	if m := read(`7`); m.Has("other") || m.OptionalURL("other") != "" || len(m.Ignored()) != 0 {
		t.Error("want nothing of a member that is not there")
	}
}

// FuzzMetadata reads any document: what it yields is of the issuer that was asked for, and
// a URL may be fetched.
func FuzzMetadata(f *testing.F) {
	for _, member := range []string{`null`, `7`, `"https://x.example"`, `"https:x"`, `["a",null]`, `true`,
		`"http://127.0.0.1/"`} {
		f.Add(`{"issuer":"https://a.example","it":` + member + `}`)
	}
	f.Add(`{"issuer":null}`)
	f.Add(`{"Issuer":"https://a.example","it":7}`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := fetch.ParseMetadata([]byte(text), "https://a.example")
		if err != nil {
			return
		}
		var all map[string]any
		if json.Unmarshal([]byte(text), &all) != nil || all["issuer"] != "https://a.example" {
			t.Errorf("%s is no document of the issuer", text)
		}
		if at := m.OptionalURL("it"); at != "" && (fetch.CheckURL(at) != nil || !strings.HasPrefix(at, "https:")) {
			t.Errorf("%q must not be fetched", at)
		}
		for range m.List("it") {
			if m.Flag("it") {
				t.Errorf("%s is a list and true", text)
			}
		}
	})
}
