package external_test

import (
	"encoding/base64"
	"testing"

	"github.com/gatewarden/auth/oauth2/external"
)

// A response is one JSON value. What follows it was not meant by the provider, or was cut from something else.
func TestUnitDecode(t *testing.T) {
	for name, row := range map[string]struct {
		rest string
		good bool
	}{
		"nothing":         {"", true},
		"white space":     {" \r\n\t", true},
		"a closing brace": {"}", false},
		"a bracket":       {"]", false},
		"another object":  {"{}", false},
		"a comma":         {",", false},
		"a word":          {"x", false},
	} {
		t.Run("after an object: "+name, func(t *testing.T) {
			if got := external.AppleName(`{"name":{"firstName":"Ada"}}` + row.rest); (got == "Ada") != row.good {
				t.Errorf("got the name %q, want one: %v", got, row.good)
			}
			payload := base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"https://a.example"}` + row.rest))
			if got := external.UnverifiedIssuer("e30." + payload + "."); (got != "") != row.good {
				t.Errorf("got the issuer %q, want one: %v", got, row.good)
			}
		})
		t.Run("after an array: "+name, func(t *testing.T) {
			list, err := external.ObjectsOf([]byte(`[{"id":1},2]` + row.rest))
			if (err == nil) != row.good || row.good != (len(list) == 1) {
				t.Errorf("got %v and the error %v, want no error: %v", list, err, row.good)
			}
		})
	}
	t.Run("members after an array", func(t *testing.T) {
		if list, err := external.ObjectsOf([]byte(`[],"list":[{"id":1}]`)); err == nil {
			t.Errorf("got %v, want an error", list)
		}
	})
}
