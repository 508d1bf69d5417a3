package server_test

import (
	"slices"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

func TestUnitPermissions(t *testing.T) {
	may := server.Permissions{{"https://a.example/", []string{"write", "read"}}, {"", []string{"openid"}},
		{"https://b.example/", nil}}
	t.Run("they tell resources, scopes and the scopes of each resource", func(t *testing.T) {
		if got := may.Resources(); !slices.Equal(got, []string{"https://a.example/", "https://b.example/"}) {
			t.Errorf("got the resources %q", got)
		}
		if got := may.Scopes(); !slices.Equal(got, []string{"write", "read", "openid"}) {
			t.Errorf("got the scopes %q", got)
		}
		for resource, want := range map[string][]string{"": {"openid"}, "https://a.example/": {"write", "read"},
			"https://b.example/": nil} {
			if got, ok := may.At(resource); !ok || !slices.Equal(got, want) {
				t.Errorf("got %q, %v at %q, want %q", got, ok, resource, want)
			}
		}
		if got, ok := may.At("https://c.example/"); ok || got != nil {
			t.Errorf("got %q, %v at a resource that is not there", got, ok)
		}
	})
	t.Run("what is added comes last, and changes nothing that was passed", func(t *testing.T) {
		spare := make([]string, 1, 4) // that appending would write to
		spare[0] = "read"
		first := server.Permissions{{"https://a.example/", spare}}
		sum := first.Add(
			server.Permissions{{"", []string{"openid"}}, {"https://a.example/", []string{"write", "read"}}})
		got, _ := sum.At("https://a.example/")
		if !slices.Equal(got, []string{"read", "write"}) || sum[1].Resource != "" {
			t.Errorf("got %q", sum)
		}
		if len(first) != 1 || len(first[0].Scopes) != 1 || spare[:2][1] != "" {
			t.Errorf("the first became %q, with %q behind it", first, spare[:2])
		}
	})
	t.Run("in order they are the same, whatever the order was", func(t *testing.T) {
		sorted := may.Sorted()
		if sorted[0].Resource != "" || sorted[2].Resource != "https://b.example/" ||
			!slices.Equal(sorted[1].Scopes, []string{"read", "write"}) || may[0].Scopes[0] != "write" {
			t.Errorf("got %q of %q", sorted, may)
		}
	})
	t.Run("nothing covers nothing, and no consent covers no request", func(t *testing.T) {
		if !(server.Permissions)(nil).Cover(nil) {
			t.Error("nothing was asked")
		}
		if (*server.Consent)(nil).Covers(nil) {
			t.Error("there is no consent")
		}
	})
}

// FuzzUnitConsentCoversNoPairThatWasNotAgreedTo lets a user agree to several requests, and compares what the consent
// covers with the set of all pairs that were on a page.
func FuzzUnitConsentCoversNoPairThatWasNotAgreedTo(f *testing.F) {
	f.Add([]byte{0x11, 0x22}, []byte{0x12})       // read at 1, write at 2, and then write at 1
	f.Add([]byte{0x31, 0x13}, []byte{0x33})       // two APIs with one scope, one API with two
	f.Add([]byte{0x10, 0x01, 0x21}, []byte{0x20}) // an API without scopes, and scopes without an API
	f.Add([]byte{0xff}, []byte{0x7f, 0x80})
	resources := []string{"https://a.example/", "https://b.example/", "https://c.example/", ""}
	scopes := []string{"read", "write", "openid", "offline_access"}
	// read makes a request of each byte: four bits are resources, and four are the scopes at each of them.
	read := func(text []byte) (all []server.Permissions) {
		for _, b := range text[:min(len(text), 6)] {
			var asked server.Permissions
			for i, resource := range resources {
				if b>>(4+i)&1 == 0 {
					continue
				}
				var at []string
				for j, scope := range scopes {
					if b>>j&1 == 1 {
						at = append(at, scope)
					}
				}
				asked = append(asked, server.Permission{Resource: resource, Scopes: at})
			}
			all = append(all, asked)
		}
		return all
	}
	type pair struct{ resource, scope string }
	pairs := func(p server.Permissions) map[pair]bool {
		all := map[pair]bool{}
		for _, each := range p {
			all[pair{each.Resource, ""}] = true
			for _, scope := range each.Scopes {
				all[pair{each.Resource, scope}] = true
			}
		}
		return all
	}
	f.Fuzz(func(t *testing.T, agreed, asked []byte) {
		var consent *server.Consent
		shown := map[pair]bool{}
		for _, each := range read(agreed) {
			consent = consent.Add(&server.Consent{Permissions: each})
			for p := range pairs(each) {
				shown[p] = true
			}
		}
		for _, each := range read(asked) {
			want := consent != nil
			for p := range pairs(each) {
				want = want && shown[p]
			}
			if got := consent.Covers(each); got != want {
				t.Errorf("got %v, want %v for %q, agreed to %q", got, want, each, consent)
			}
		}
	})
}
