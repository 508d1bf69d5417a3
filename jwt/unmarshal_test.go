package jwt_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

type embeddedClaims struct {
	Role string `json:"role"`
}

// EndlessClaims embed themselves.
type EndlessClaims struct{ *EndlessClaims }

type taggedClaims struct {
	embeddedClaims
	EndlessClaims
	Email   string `json:"email"`
	Skipped string `json:"-"`
	Plan    string `json:",omitempty"`
	Skill   string `json:"skill"`
}

// claimsByHand decodes by itself.
type claimsByHand struct{ text string }

func (c *claimsByHand) UnmarshalJSON(text []byte) error { c.text = string(text); return nil }

func TestUnitNamesOfClaimsAreComparedAsTheyAre(t *testing.T) {
	for _, row := range []struct {
		sentence, payload string
		want              taggedClaims
		fault             string
	}{
		{"the name", `{"email":"a"}`, taggedClaims{Email: "a"}, ""},
		{"another case of it is another claim", `{"EMAIL":"b"}`, taggedClaims{}, ""},
		{"and does not replace it, before", `{"EMAIL":"b","email":"a"}`, taggedClaims{Email: "a"}, ""},
		{"and behind", `{"email":"a","eMail":"b","x":{"y":[1]}}`, taggedClaims{Email: "a"}, ""},
		{"with an escape", `{"email":"a","\u0045mail":"b"}`, taggedClaims{Email: "a"}, ""},
		{"with a letter that folds to one of ASCII", `{"s\u212Aill":"b","\u017Fkill":"c","skill":"a","\u017Fk":"d"}`,
			taggedClaims{Skill: "a"}, ""},
		{"an embedded field", `{"role":"a","Role":"b"}`, taggedClaims{embeddedClaims: embeddedClaims{"a"}}, ""},
		{"a field without a name in its tag takes any case", `{"plan":"a"}`, taggedClaims{Plan: "a"}, ""},
		{"and its own before others", `{"PLAN":"b","Plan":"a","plan":"c"}`, taggedClaims{Plan: "a"}, ""},
		{"and no one of several others", `{"PLAN":"b","plan":"c"}`, taggedClaims{}, `"PLAN" and "plan"`},
		{"fields that are left out", `{"Skipped":"b","-":"c"}`, taggedClaims{}, ""},
		{"a value of another type", `{"email":7}`, taggedClaims{}, "cannot unmarshal"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			got, err := jwt.ClaimsAs[taggedClaims]([]byte(row.payload))
			if row.fault != "" {
				if err == nil || !strings.Contains(err.Error(), row.fault) {
					t.Errorf("want an error with %q, got %+v and %v", row.fault, got, err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, &row.want) {
				t.Errorf("want %+v, got %+v and %v", &row.want, got, err)
			}
		})
	}
	t.Run("other types read all claims", func(t *testing.T) {
		const payload = `{"email":"a","EMAIL":"b"}`
		all, err := jwt.ClaimsAs[map[string]string]([]byte(payload))
		if err != nil || len(*all.(*map[string]string)) != 2 {
			t.Errorf("want both claims, got %v and %v", all, err)
		}
		hand, err := jwt.ClaimsAs[claimsByHand]([]byte(payload))
		if err != nil || hand.(*claimsByHand).text != payload {
			t.Errorf("want the payload as it is, got %v and %v", hand, err)
		}
	})
	t.Run("Decode does so, too", func(t *testing.T) {
		key := signing(t, jwt.ES256)
		_, credential, err := foreignVerifier(t, key, nil).VerifyToken(t.Context(), foreignToken(t, key,
			map[string]any{"email": "a", "EMAIL": "b", "eMAIL": "c"}))
		if err != nil {
			t.Fatal(err)
		}
		token, _ := auth.As[*jwt.Token](credential)
		var claims taggedClaims
		if err := token.Decode(&claims); err != nil || claims.Email != "a" {
			t.Errorf("want a, got %q and %v", claims.Email, err)
		}
		if err := token.Decode(nil); err == nil {
			t.Error("want an error for nil")
		}
		if err := token.Decode(taggedClaims{}); err == nil {
			t.Error("want an error for what is no pointer")
		}
		var raw json.RawMessage
		if err := token.Decode(&raw); err != nil || !strings.Contains(string(raw), "eMAIL") {
			t.Errorf("want all claims, got %s and %v", raw, err)
		}
	})
}
