//go:build wycheproof

package wycheproof_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"testing"

	"github.com/c2sp/wycheproof"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

type vectors struct {
	NumberOfTests int
	TestGroups    []struct {
		Comment         string
		Private, Public json.RawMessage
		Tests           []struct {
			TcID     int `json:"tcId"`
			Comment  string
			JWS, JWE json.RawMessage
			Result   string
			Flags    []string
		}
	}
}

// Why an outcome is not that of the vector.
const (
	encryption = "tokens that are encrypted are not read"
	noPayload  = "an empty payload is no JWT, and a detached one is not read"
	noBase64   = `RFC 7515 §2: "?" is no character of base64url; the vector is marked valid by mistake`
	sameToken  = "the token is that of vector 357, which is valid: the vector shows nothing"
	wrongAlg   = `RFC 7518 §3.1: there is no "ES521"; the vector means ES512`
	otherAlg   = "RFC 7517 §4.4: the key is for PS256, the token by PS384; vectors 337 to 340 want such to be refused"
	mixedSet   = "each key has an algorithm of its own, so that symmetric and public ones cannot be taken for each " +
		"other"
	roca = "keys of ROCA (CVE-2017-15361) are not recognized: whoever publishes one must replace it"
)

// different are the outcomes that differ on purpose, by number: accepted where
// the vector is invalid, refused where it is valid.
var different = map[string]map[int]string{
	"json_web_signature_test.json": {
		259: noPayload, 264: noPayload, 268: noPayload, 272: noPayload, 320: noPayload, 325: noPayload,
		346: otherAlg, 350: otherAlg, 347: wrongAlg, 351: wrongAlg,
		367: sameToken, 370: sameToken, 372: noBase64, 373: noBase64,
	},
	"json_web_key_test.json":    {1: mixedSet, 7: roca},
	"json_web_crypto_test.json": {46: roca, 47: mixedSet},
}

// count is how many vectors are accepted and refused as they ask for, the latter
// for the token or already for the key, and how many differ. None is left out.
type count struct{ accepted, refused, refusedKey, differ int }

var wanted = map[string]count{
	"json_web_signature_test.json":  {34, 349, 4, 14},
	"json_web_key_test.json":        {5, 1, 18, 2},
	"json_web_crypto_test.json":     {4, 43, 32, 4},
	"json_web_encryption_test.json": {0, 0, 74, 65},
}

func TestVectors(t *testing.T) {
	files, err := fs.Glob(wycheproof.TestVectors, "json_web_*.json")
	if err != nil || len(files) != len(wanted) {
		t.Fatalf("files: %v, %v", files, err)
	}
	key, err := jwt.GenerateKey(jwt.HS256)
	if err != nil {
		t.Fatal(err)
	}
	usable, err := jwt.NewKeySet(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			text, err := fs.ReadFile(wycheproof.TestVectors, file)
			if err != nil {
				t.Fatal(err)
			}
			var all vectors
			if err := json.Unmarshal(text, &all); err != nil {
				t.Fatal(err)
			}
			var got count
			for _, group := range all.TestGroups {
				keys, keyErr := load(group.Public, group.Private)
				for _, v := range group.Tests {
					if v.Result != "valid" && v.Result != "invalid" {
						t.Errorf("%d: result %q", v.TcID, v.Result) // "acceptable": decide
					}
					err := keyErr
					if err == nil {
						_, err = jwt.VerifyBare(keys, token(v.JWS, v.JWE))
					}
					reason := different[file][v.TcID]
					if v.JWE != nil && v.Result == "valid" {
						reason = encryption
					}
					switch accepted := err == nil; {
					case reason != "" && accepted != (v.Result == "valid"):
						got.differ++
					case reason != "":
						t.Errorf("%d %s (%s): as the vector asks for, which %q says it is not", v.TcID, v.Comment,
							group.Comment, reason)
					case accepted != (v.Result == "valid"):
						t.Errorf("%d %s (%s) %v: is %s, but %v", v.TcID, v.Comment, group.Comment, v.Flags,
							v.Result, err)
					case accepted:
						got.accepted++
					case keyErr != nil:
						got.refusedKey++
					default:
						got.refused++
					}
					if _, err := jwt.VerifyBare(usable, token(v.JWS, v.JWE)); v.JWE != nil &&
						!errors.Is(err, auth.ErrUnrecognized) {
						t.Errorf("%d %s: a JWE, but %v", v.TcID, v.Comment, err)
					}
				}
			}
			if got != wanted[file] || got.accepted+got.refused+got.refusedKey+got.differ != all.NumberOfTests {
				t.Errorf("%+v of %d, want %+v", got, all.NumberOfTests, wanted[file])
			}
		})
	}
}

// token is the compact text, or the JSON that the vector has instead.
func token(jws, jwe json.RawMessage) string {
	raw := jws
	if raw == nil {
		raw = jwe
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return string(raw)
	}
	return text
}

// load reads the keys of a group: public ones if there are, and sets with
// symmetric keys, which must not be published, one by one.
func load(public, private json.RawMessage) (*jwt.KeySet, error) {
	text := public
	if text == nil {
		text = private
	}
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, err
	}
	if set.Keys == nil {
		set.Keys = []json.RawMessage{text}
	} else if keys, err := jwt.ParseJWKS(text); err != nil {
		return nil, err
	} else if len(keys.Keys()) == len(set.Keys) {
		return keys, nil
	}
	var keys []*jwt.Key
	for _, each := range set.Keys {
		key, err := jwt.ParseJWK(each)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return jwt.NewKeySet(nil, keys...)
}

// TestPrivateKeys reads the private keys of all groups: each is read, and its
// public part is the public key of the group, unless both are refused.
func TestPrivateKeys(t *testing.T) {
	read, refused := 0, map[string]int{}
	for file := range wanted {
		text, err := fs.ReadFile(wycheproof.TestVectors, file)
		if err != nil {
			t.Fatal(err)
		}
		var all vectors
		if err := json.Unmarshal(text, &all); err != nil {
			t.Fatal(err)
		}
		for _, group := range all.TestGroups {
			if group.Private == nil || group.Public == nil {
				continue
			}
			private, err := jwt.ParseJWK(group.Private)
			public, publicErr := jwt.ParseJWK(group.Public)
			switch {
			case err != nil:
				refused[err.Error()]++
			case publicErr != nil || private.Thumbprint() != public.Thumbprint() || !private.CanSign() ||
				public.CanSign():
				t.Errorf("%s: %v and %v, %v", group.Comment, private, public, publicErr)
			default:
				read++
			}
		}
	}
	if want := map[string]int{
		"jwt: the JWK's alg is unknown or not one for its kty": 2,  // ES521
		"jwt: the JWK's key_ops neither sign nor verify":       3,  // for encryption, and "sign, verify" in one string
		"jwt: the JWK's kty is unknown":                        11, // a set
		"jwt: the JWK's use is not sig":                        13,
	}; read != 15 || !maps.Equal(refused, want) {
		t.Error(read, refused)
	}
}
