package jwt_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/gatewarden/auth/jwt"
)

// The keys of RFC 7517 appendix A.
const (
	rfc7517N = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWK" +
		"RXjBZCiFV4n3oknjhMst" +
		"n64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0" +
		"zgdAZHzu6qMQvRL5hajrn1n9" +
		"1CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"

	rfc7517A1EC  = `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"}`
	rfc7517A1RSA = `{"kty":"RSA","n":"` + rfc7517N + `","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`

	rfc7517A2EC = `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",` +
		`"d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE","use":"enc","kid":"1"}`
	rfc7517A2RSA = `{"kty":"RSA","n":"` + rfc7517N + `","e":"AQAB","d":"` +
		"X4cTteJY_gn4FYPsXB8rdXix5vwsg1FLN5E3EaG6RJoVH-HLLKD9M7dx5oo7GURknchnrRweUkC7hT5fJLM0WbFAKNLWY2vv" +
		"7B6NqXSzUvxT0_YSfqijwp3R" +
		"TzlBaCxWp4doFk5N2o8Gy_nHNKroADIkJ46pRUohsXywbReAdYaMwFs9tv8d_cPVY3i07a3t8MN6TNwm0dSawm9v47UiCl3S" +
		"k5ZiG7xojPLu4sbg1U2jx4IB" +
		"TNBznbJSzFHK66jT8bgkuqsk0GjskDJk19Z4qwjwbsnn4j2WBii3RL-Us2lGVkY8fkFzme1z0HbIkfz0Y6mqnOYtqc0X4jfcKoAC8Q" +
		`","p":"` +
		"83i-7IvMGXoMXCskv73TKr8637FiO7Z27zv8oj6pbWUQyLPQBQxtPVnwD20R-60eTDmD2ujnMt5PoqMrm8RfmNhVWDtjjMmC" +
		"MjOpSXicFHj7XOuVIYQyqVWl" +
		"WEh6dN36GVZYk93N8Bc9vY41xy8B9RzzOGVQzXvNEvn7O0nVbfs" + `","q":"` +
		"3dfOR9cuYq-0S-mkFLzgItgMEfFzB2q3hWehMuG0oCuqnb3vobLyumqjVZQO1dIrdwgTnCdpYzBcOfW5r370AFXjiWft_NGE" +
		"iovonizhKpo9VVS78TzFgxkI" +
		"drecRezsZ-1kYd_s1qDbxtkDEgfAITAG9LUnADun4vIcb6yelxk" + `","dp":"` +
		"G4sPXkc6Ya9y8oJW9_ILj4xuppu0lzi_H7VTkS8xj5SdX3coE0oimYwxIi2emTAue0UOa5dpgFGyBJ4c8tQ2VF402XRugKDT" +
		"P8akYhFo5tAA77Qe_NmtuYZc" +
		"3C3m3I24G2GvR5sSDxUyAN2zq8Lfn9EUms6rY3Ob8YeiKkTiBj0" + `","dq":"` +
		"s9lAH9fggBsoFR8Oac2R_E2gw282rT2kGOAhvIllETE1efrA6huUUvMfBcMpn8lqeW6vzznYY5SSQF7pMdC_agI3nG8Ibp1B" +
		"Ub0JUiraRNqUfLhcQb_d9GF4" +
		"Dh7e74WbRsobRonujTYN1xCaP6TO61jvWrX-L18txXw494Q_cgk" + `","qi":"` +
		"GyM_p6JrXySiz1toFgKbWV-JdI3jQ4ypu9rbMWx3rQJBfmt0FoYzgUIZEVFEcOqwemRN81zoDAaa-Bk0KWNGDjJHZDdDmFhW" +
		"3AN7lI-puxk_mHZGJ11rxyR8" +
		"O55XLSe3SPmRfKwZI6yU24ZxvQKFYItdldUKGzO6Ia6zTKhAVRU" + `","alg":"RS256","kid":"2011-04-29"}`

	rfc7517A3KW   = `{"kty":"oct","alg":"A128KW","k":"GawgguFyGrWKav7AX4VKUg"}`
	rfc7517A3HMAC = `{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",` +
		`"kid":"HMAC key used in JWS spec Appendix A.1 example"}`

	// RFC 7520 §3.2, where x, y and d begin with a zero bit or byte.
	rfc7520ECPrivate = `{"kty":"EC","kid":"bilbo.baggins@hobbiton.example","use":"sig","crv":"P-521",` +
		`"x":"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt",` +
		`"y":"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1",` +
		`"d":"AAhRON2r9cqXX1hg-RoI6R1tX5p2rUAYdmpHZoC1XNM56KtscrX6zbKipQrCW9CGZH3T4ubpnoTKLDYJ_fF3_rJt"}`
)

func membersOf(t testing.TB, jwk string) map[string]any {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(jwk), &members); err != nil {
		t.Fatal(err)
	}
	return members
}

// with returns a JWK with other members, without those that are nil.
func with(t testing.TB, jwk string, change map[string]any) string {
	t.Helper()
	members := membersOf(t, jwk)
	for name, value := range change {
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func parsed(t testing.TB, jwk string) *jwt.Key {
	t.Helper()
	key, err := jwt.ParseJWK([]byte(jwk))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestThumbprintsOfTheRFCs(t *testing.T) {
	for name, row := range map[string]struct{ key, want string }{
		"RFC 7638 §3.1":                      {rfc7517A1RSA, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		"the same key with its private part": {rfc7517A2RSA, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		"RFC 8037 A.3":                       {rfc8037Key, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
		"RFC 8037 A.3, private":              {rfc8037Private, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
	} {
		if got := parsed(t, row.key).Thumbprint(); got != row.want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if key := parsed(t, rfc8037Key); key.ID() != key.Thumbprint() {
		t.Error("a key without a kid goes by", key.ID())
	}
	// RFC 7638 §3.2.1: what a key is called and for does not count.
	if one, two := parsed(t, rfc7517A1RSA), parsed(
		t,
		with(t, rfc7517A1RSA, map[string]any{"kid": "other", "alg": "PS512", "use": "sig",
			"x5t": "AA"})); one.Thumbprint() != two.Thumbprint() || two.ID() != "other" {
		t.Error(two)
	}
}

func TestKeysOfRFC7517(t *testing.T) {
	if key := parsed(t, rfc7517A1RSA); key.ID() != "2011-04-29" || key.Algorithm() != jwt.RS256 || key.CanSign() {
		t.Error(key)
	}
	private := parsed(t, rfc7517A2RSA)
	if private.ID() != "2011-04-29" || private.Algorithm() != jwt.RS256 || !private.CanSign() ||
		!verifies(t, parsed(t, rfc7517A1RSA), bareToken(t, private)) {
		t.Error(private)
	}
	for sentence, jwk := range map[string]string{
		"A.1, for encryption":               rfc7517A1EC,
		"A.2, for encryption":               rfc7517A2EC,
		"A.3, for wrapping keys":            rfc7517A3KW,
		"A.3, a secret without a named use": rfc7517A3HMAC,
	} {
		if key, err := jwt.ParseJWK([]byte(jwk)); err == nil {
			t.Errorf("%s: %v", sentence, key)
		}
	}
	// Without their use they are keys.
	if key := parsed(t, with(t, rfc7517A2EC, map[string]any{"use": nil})); key.Algorithm() != jwt.ES256 ||
		!verifies(t, parsed(t, with(t, rfc7517A1EC, map[string]any{"use": "sig"})), bareToken(t, key)) {
		t.Error(key)
	}
	hmac := parsed(t, with(t, rfc7517A3HMAC, map[string]any{"alg": "HS256"}))
	if _, err := jwt.VerifyBare(keySetOnly(t, hmac), rfc7515A1); err != nil ||
		hmac.ID() != "HMAC key used in JWS spec Appendix A.1 example" {
		t.Error(hmac, err)
	}
}

func TestAKeyIsWrittenAsTheRFCsWriteIt(t *testing.T) {
	for name, jwk := range map[string]string{
		"RFC 7517 A.1": rfc7517A1RSA,
		"RFC 7517 A.2": rfc7517A2RSA,
		"RFC 7520 3.2": rfc7520ECPrivate,
		"RFC 7520 3.5": rfc7520OctKey,
		"RFC 8037 A.1": rfc8037Private,
		"RFC 8037 A.2": rfc8037Key,
	} {
		key := parsed(t, jwk)
		text, err := key.MarshalJWK(key.CanSign())
		if err != nil {
			t.Fatal(name, err)
		}
		want := membersOf(t, jwk)
		want["use"], want["kid"] = "sig", key.ID()
		if key.Algorithm() != "" {
			want["alg"] = string(key.Algorithm())
		}
		if got := membersOf(t, string(text)); !maps.Equal(got, want) {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestAKeyIsReadAsItWasWritten(t *testing.T) {
	for _, algorithm := range allAlgorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			key := signing(t, algorithm).WithID("a key <&> é \"")
			text, err := key.MarshalJWK(true)
			if err != nil {
				t.Fatal(err)
			}
			read := parsed(t, string(text))
			if read.ID() != key.ID() || read.Algorithm() != algorithm || read.Thumbprint() != key.Thumbprint() ||
				!read.CanSign() || !verifies(t, key, bareToken(t, read)) {
				t.Error(read)
			}
			public, err := key.MarshalJWK(false)
			if strings.HasPrefix(string(algorithm), "HS") {
				if err == nil {
					t.Errorf("a secret is written as public: %s", public)
				}
				return
			}
			read = parsed(t, string(public))
			if read.ID() != key.ID() || read.Algorithm() != algorithm || read.Thumbprint() != key.Thumbprint() ||
				read.CanSign() || !verifies(t, read, bareToken(t, key)) {
				t.Error(read)
			}
			if again, err := key.Public().MarshalJWK(false); err != nil || !bytes.Equal(again, public) {
				t.Error(err)
			}
		})
	}
}

// Coordinates are as long as their curve's numbers, zeros at their front
// included (RFC 7518 §6.2.1.2): shorter ones are another's mistake, and ours would
// be theirs.
func TestCoordinatesHaveTheLengthOfTheirCurve(t *testing.T) {
	for range 600 { // one in 128 has a zero in x or y
		text, err := signing(t, jwt.ES256).MarshalJWK(true)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"x", "y", "d"} {
			value := memberOf(t, text, name)
			raw, err := base64.RawURLEncoding.DecodeString(value)
			if err != nil || len(raw) != 32 {
				t.Fatalf("%s has %d bytes", name, len(raw))
			}
			if raw[0] == 0 {
				short := with(t, string(text), map[string]any{name: base64.RawURLEncoding.EncodeToString(raw[1:])})
				if _, err := jwt.ParseJWK([]byte(short)); err == nil {
					t.Errorf("%s of 31 bytes is taken", name)
				}
			}
		}
	}
}

func TestAJWKThatIsWrongIsRefused(t *testing.T) {
	ec, okp, oct := with(t, rfc7515A3Key, map[string]any{"d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}),
		rfc8037Private, rfc7520OctKey
	private := rfc7517A2RSA
	value := func(jwk, name string) []byte {
		raw, err := base64.RawURLEncoding.DecodeString(membersOf(t, jwk)[name].(string))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	encode := base64.RawURLEncoding.EncodeToString
	flipped := func(jwk, name string) string {
		raw := value(jwk, name)
		raw[len(raw)-1] ^= 2
		return encode(raw)
	}
	weak := func(key *rsa.PrivateKey) string {
		return fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB"}`, encode(key.N.Bytes()))
	}
	order := "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE" // of P-256
	for _, c := range []struct {
		sentence, jwk string
		change        map[string]any
	}{
		{"a point off its curve", ec, map[string]any{"y": flipped(ec, "y"), "d": nil}},
		{"a point off its curve, with d", ec, map[string]any{"y": flipped(ec, "y")}},
		{"the point 0, 0", ec, map[string]any{"x": encode(make([]byte, 32)), "y": encode(make([]byte, 32)), "d": nil}},
		{"a coordinate above the field", ec, map[string]any{"x": encode(bytes.Repeat([]byte{255}, 32)), "d": nil}},
		{"x of 31 bytes", ec, map[string]any{"x": encode(value(ec, "x")[:31])}},
		{"x of 33 bytes, the first a zero", ec, map[string]any{"x": encode(append([]byte{0}, value(ec, "x")...))}},
		{"y of 33 bytes, the first a zero", ec, map[string]any{"y": encode(append([]byte{0}, value(ec, "y")...))}},
		{"a compressed point", ec, map[string]any{"x": encode(append([]byte{2}, value(ec, "x")...)), "y": nil}},
		{"no x", ec, map[string]any{"x": nil}},
		{"no y", ec, map[string]any{"y": nil}},
		{"an empty y", ec, map[string]any{"y": ""}},
		{"the point of P-256 on P-384", ec, map[string]any{"crv": "P-384"}},
		{"d of another key", ec, map[string]any{"d": flipped(ec, "d")}},
		{"d of 31 bytes", ec, map[string]any{"d": encode(value(ec, "d")[:31])}},
		{"d of 33 bytes", ec, map[string]any{"d": encode(append([]byte{0}, value(ec, "d")...))}},
		{"d is 0", ec, map[string]any{"d": encode(make([]byte, 32))}},
		{"d is the order", ec, map[string]any{"d": order}},
		{"an empty d", ec, map[string]any{"d": ""}},
		{"d is a number", ec, map[string]any{"d": 1}},
		{"no crv", ec, map[string]any{"crv": nil}},
		{"crv of another case", ec, map[string]any{"crv": "p-256"}},
		{"P-224", ec, map[string]any{"crv": "P-224"}},
		{"secp256k1", ec, map[string]any{"crv": "secp256k1"}},

		{"x of another Ed25519 key", okp, map[string]any{"x": flipped(okp, "x")}},
		{"x of 31 bytes, Ed25519", okp, map[string]any{"x": encode(value(okp, "x")[:31]), "d": nil}},
		{"d of 64 bytes, Ed25519", okp, map[string]any{"d": encode(append(value(okp, "d"), value(okp, "x")...))}},
		{"an empty d, Ed25519", okp, map[string]any{"d": ""}},
		{"X25519 (RFC 8037 §3.2)", okp, map[string]any{"crv": "X25519", "d": nil}},
		{"Ed448", okp, map[string]any{"crv": "Ed448", "d": nil}},
		{"a curve of EC", okp, map[string]any{"crv": "P-256"}},

		{"31 bytes for HS256", oct, map[string]any{"k": encode(value(oct, "k")[:31])}},
		{"32 bytes for HS384", oct, map[string]any{"alg": "HS384"}},
		{"no k", oct, map[string]any{"k": nil}},
		{"a secret without an algorithm", oct, map[string]any{"alg": nil}},
		{"a secret with padding", oct, map[string]any{"k": "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg="}},
		{"a secret in base64", oct, map[string]any{"k": "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG+Onbc6mxCcYg"}},
		{"a secret with stray bits", oct, map[string]any{"k": "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYh"}},
		{"a secret with a line break", oct, map[string]any{"k": "hJtXIZ2uSN5kbQfbtTNWbpdm\nhkV8FJG-Onbc6mxCcYg"}},
		{"a secret that is a list", oct, map[string]any{"k": []string{"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"}}},

		{"RSA of 1024 bits", weak(rawKeys().rsa1024), nil},
		{"RSA of 2040 bits", weak(rawKeys().rsa2040), nil},
		{"RSA of 16384 bits", private, map[string]any{"n": encode(bytes.Repeat([]byte{255}, 2048)), "d": nil}},
		{"an even modulus", private, map[string]any{"n": encode(append(value(private, "n")[:255], 2)), "d": nil}},
		{"e is 1", private, map[string]any{"e": "AQ", "d": nil}},
		{"e is even", private, map[string]any{"e": "AQAA", "d": nil}},
		{"e of 32 bits", private, map[string]any{"e": "_____w", "d": nil}},
		{"e of 40 bits", private, map[string]any{"e": "AQAAAAE", "d": nil}},
		{"e of 2048 bits", private, map[string]any{"e": rfc7517N, "d": nil}},
		{"no e", private, map[string]any{"e": nil}},
		{"no n", private, map[string]any{"n": nil}},
		{"n of another key", private, map[string]any{"n": flipped(private, "n")}},
		{"d of another key, RSA", private, map[string]any{"d": flipped(private, "d")}},
		{"p of another key", private, map[string]any{"p": flipped(private, "p")}},
		{"p and n, q is 1", private, map[string]any{"p": rfc7517N, "q": "AQ"}},
		{"p is 0", private, map[string]any{"p": "AA"}},
		{"p of 10,000 bits", private, map[string]any{"p": encode(bytes.Repeat([]byte{255}, 1250))}},
		{"d without primes", private, map[string]any{"p": nil, "q": nil}},
		{"three primes", private, map[string]any{"oth": []any{}}},
		{"an empty d, RSA", private, map[string]any{"d": ""}},

		{"no kty", ec, map[string]any{"kty": nil}},
		{"kty of another case", ec, map[string]any{"kty": "ec"}},
		{"kty is a number", ec, map[string]any{"kty": 2}},
		{"RSA named EC", private, map[string]any{"kty": "EC"}},
		{"alg of another type", ec, map[string]any{"alg": "RS256"}},
		{"alg of another curve", ec, map[string]any{"alg": "ES384"}},
		{"alg of a secret on a public key", rfc7517A1RSA, map[string]any{"alg": "HS256"}},
		{"alg of a public key on a secret", oct, map[string]any{"alg": "RS256"}},
		{"alg none", ec, map[string]any{"alg": "none"}},
		{"alg of encryption", rfc7517A1RSA, map[string]any{"alg": "RSA-OAEP"}},
		{"use is enc", ec, map[string]any{"use": "enc"}},
		{"use of another case", ec, map[string]any{"use": "SIG"}},
		{"use is a list", ec, map[string]any{"use": []string{"sig"}}},
		{"key_ops of encryption", rfc7517A1RSA, map[string]any{"key_ops": []string{"encrypt", "wrapKey"}}},
		{"no key_ops", ec, map[string]any{"key_ops": []string{}}},
		{"key_ops is a text", ec, map[string]any{"key_ops": "verify"}},
		{"kid is a number", ec, map[string]any{"kid": 7}},
		{"alg is a number", ec, map[string]any{"alg": 7}},
		{"key_ops has a number", ec, map[string]any{"key_ops": []any{"verify", 7}}},
		{"kty is null", ec, map[string]any{"kty": json.RawMessage("null")}},
		{"x is null", ec, map[string]any{"x": json.RawMessage("null")}},
		{"Ed25519 as the alg of another curve", ec, map[string]any{"alg": "Ed25519"}},
	} {
		if key, err := jwt.ParseJWK([]byte(with(t, c.jwk, c.change))); err == nil {
			t.Errorf("%s: %v", c.sentence, key)
		} else if !strings.HasPrefix(err.Error(), "jwt: ") || len(err.Error()) > 200 {
			t.Errorf("%s: %v", c.sentence, err)
		}
	}
	for _, text := range []string{"", "{}", "null", "[]", "7", `"x"`, "{", ec + ec, "[" + ec + "]",
		strings.Repeat("[", 100_000), strings.Repeat(" ", 70_000) + ec} {
		if _, err := jwt.ParseJWK([]byte(text)); err == nil {
			t.Errorf("%.40q", text)
		}
	}
}

func TestAJWKThatIsRightIsTaken(t *testing.T) {
	null := json.RawMessage("null")
	for sentence, c := range map[string]struct {
		jwk    string
		change map[string]any
	}{
		"members of others": {rfc7515A3Key, map[string]any{"x5c": []string{"MII"}, "x5t#S256": "AA",
			"ext": true, "issuer": map[string]any{}, "nbf": 7}},
		"both key_ops": {rfc8037Private, map[string]any{"key_ops": []string{"sign", "verify"},
			"use": "sig"}},
		"key_ops that say more":         {rfc7517A1RSA, map[string]any{"key_ops": []string{"encrypt", "verify"}}},
		"n with a zero at its front":    {rfc7517A1RSA, map[string]any{"n": "AN" + shifted(t, rfc7517N)[2:]}},
		"RSA without dp, dq and qi":     {rfc7517A2RSA, map[string]any{"dp": nil, "dq": nil, "qi": nil}},
		"an empty kid":                  {rfc7515A3Key, map[string]any{"kid": ""}},
		"the algorithm of its curve":    {rfc7515A4Key, map[string]any{"alg": "ES512"}},
		"another one of RSA":            {rfc7517A1RSA, map[string]any{"alg": "PS384"}},
		"an empty alg":                  {rfc7515A3Key, map[string]any{"alg": ""}},
		"alg is null":                   {rfc7515A3Key, map[string]any{"alg": null}},
		"use is null":                   {rfc7515A3Key, map[string]any{"use": null}},
		"kid is null":                   {rfc7515A3Key, map[string]any{"kid": null}},
		"key_ops is null":               {rfc7515A3Key, map[string]any{"key_ops": null}},
		"d is null":                     {rfc7515A3Key, map[string]any{"d": null}},
		"oth is null":                   {rfc7517A2RSA, map[string]any{"oth": null}},
		"Ed25519, as in RFC 9864":       {rfc8037Key, map[string]any{"alg": "Ed25519"}},
		"names in another case as well": {rfc7515A3Key, map[string]any{"Kty": "RSA", "X": "AA", "ALG": "none"}},
	} {
		key, err := jwt.ParseJWK([]byte(with(t, c.jwk, c.change)))
		if err != nil || key.Thumbprint() != parsed(t, c.jwk).Thumbprint() || key.ID() == "" {
			t.Errorf("%s: %v, %v", sentence, key, err)
		}
	}
}

// shifted returns the bytes of a base64url text after a zero byte.
func shifted(t testing.TB, text string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(append([]byte{0}, raw...))
}

// Entra publishes keys without "alg": each verifies all that RSA does, and nothing
// else.
func TestAPublicKeyWithoutAlgVerifiesAllOfItsType(t *testing.T) {
	material := rawKeys()
	rsaKeys := map[jwt.Algorithm]bool{jwt.RS256: true, jwt.RS384: true, jwt.RS512: true, jwt.PS256: true,
		jwt.PS384: true, jwt.PS512: true}
	named, err := jwt.NewKey(jwt.RS256, material.rsa2048)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := named.MarshalJWK(false)
	open := parsed(t, with(t, string(text), map[string]any{"alg": nil}))
	if open.Algorithm() != "" || open.CanSign() {
		t.Fatal(open)
	}
	for algorithm := range rsaKeys {
		key, err := jwt.NewKey(algorithm, material.rsa2048)
		if err != nil {
			t.Fatal(err)
		}
		if !verifies(t, open, bareToken(t, key)) {
			t.Errorf("%s is refused", algorithm)
		}
		if verifies(t, parsed(t, string(text)), bareToken(t, key)) != (algorithm == jwt.RS256) {
			t.Errorf("%s, and the key says RS256", algorithm)
		}
	}
	// RFC 8725 §2.1: the public key as a secret.
	for _, secret := range [][]byte{text, []byte(rfc7517N), material.rsa2048.N.Bytes()} {
		confused, err := jwt.NewKey(jwt.HS256, secret)
		if err != nil {
			t.Fatal(err)
		}
		if verifies(t, open, bareToken(t, confused)) {
			t.Error("HMAC with a public key")
		}
	}
	if private := parsed(t, with(t, rfc7517A2RSA, map[string]any{"alg": nil})); private.Algorithm() != jwt.RS256 {
		t.Error("a private key signs by", private.Algorithm())
	}
	for curve, jwk := range map[jwt.Algorithm]string{jwt.ES256: rfc7515A3Key, jwt.ES512: rfc7515A4Key} {
		for _, algorithm := range []jwt.Algorithm{jwt.ES256, jwt.ES384, jwt.ES512, jwt.EdDSA, jwt.HS256} {
			if algorithm != curve && verifies(t, parsed(t, jwk), bareToken(t, signing(t, algorithm))) {
				t.Errorf("%s by a key of %s", algorithm, curve)
			}
		}
	}
}

func TestOfAJWKSetTheGoodKeysAreTaken(t *testing.T) {
	all := []string{
		rfc7517A1RSA, rfc7517A1EC, rfc7515A3Key, // the second is for encryption
		rfc7517A3KW, rfc7517A3HMAC, rfc7520OctKey, // secrets
		`7`, `null`, `[]`, `"key"`, `{}`, `{"kty":"PQC","kid":"new"}`, `{"kty":"RSA","n":"AQAB","e":"AQAB"}`,
		with(t, rfc7515A3Key, map[string]any{"y": "AAAA"}), with(t, rfc7517A1RSA, map[string]any{"alg": "RSA-OAEP"}),
		with(t, rfc7517A2RSA, map[string]any{"d": "AQAB", "kid": "with a broken private part"}), rfc8037Private,
	}
	keys, err := jwt.ParseJWKS([]byte(`{"keys":[` + strings.Join(all, ",") + `],"issued":7}`))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, key := range keys.Keys() {
		ids = append(ids, key.ID())
		if key.CanSign() {
			t.Errorf("%v has a private part", key)
		}
	}
	want := []string{"2011-04-29", parsed(t, rfc7515A3Key).Thumbprint(), "with a broken private part",
		parsed(t, rfc8037Key).Thumbprint()}
	if fmt.Sprint(ids) != fmt.Sprint(want) || keys.Signing() != nil {
		t.Error(ids)
	}
	for _, token := range []string{rfc7515A3, rfc8037A4} {
		if _, err := jwt.VerifyBare(keys, token); err != nil {
			t.Error(err)
		}
	}
	if empty, err := jwt.ParseJWKS([]byte(`{"keys":[]}`)); err != nil || len(empty.Keys()) != 0 {
		t.Error(empty, err)
	}
	for _, text := range []string{"", "{}", "null", "[]", "7", `{"keys":null}`, `{"keys":{}}`, `{"keys":"x"}`,
		`{"Keys":[]}`, `[` + rfc7517A1RSA + `]`, rfc7517A1RSA,
		`{"keys":[]}x`, "<html>", strings.Repeat(" ", 1<<20) + `{"keys":[]}`} {
		if set, err := jwt.ParseJWKS([]byte(text)); err == nil {
			t.Errorf("%.40q: %v", text, set.Keys())
		}
	}
}

func TestAJWKSetIsReadUpToALimit(t *testing.T) {
	var many []string
	for i := range 300 {
		many = append(many, with(t, rfc8037Key, map[string]any{"kid": fmt.Sprint(i)}))
	}
	keys, err := jwt.ParseJWKS([]byte(`{"keys":[` + strings.Join(many, ",") + `]}`))
	if err != nil || len(keys.Keys()) != 100 || keys.Keys()[99].ID() != "99" {
		t.Error(err)
	}
	if _, err := jwt.ParseJWKS([]byte(`{"keys":[` + strings.Repeat("{},", 300_000) + rfc8037Key + `]}`)); err != nil {
		t.Error(err)
	}
}

// Two keys of one name, as where each type has its own numbers, are told apart
// by what a token says it was signed by.
func TestKeysOfOneNameAreToldApartByTheirType(t *testing.T) {
	ec, ed, rsaKey := signing(t, jwt.ES256).WithID("1"), signing(t, jwt.EdDSA).WithID("1"), signing(
		t, jwt.RS256).WithID("1")
	var all []string
	for _, key := range []*jwt.Key{ec, ed, rsaKey} {
		text, _ := key.MarshalJWK(false)
		all = append(all, with(t, string(text), map[string]any{"alg": nil}))
	}
	keys, err := jwt.ParseJWKS([]byte(`{"keys":[` + strings.Join(all, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []*jwt.Key{ec, ed, rsaKey} {
		token, err := jwt.Sign(key, "", map[string]any{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jwt.VerifyBare(keys, token); err != nil {
			t.Errorf("%v: %v", key, err)
		}
	}
}

// checkParsed checks what holds for every key that was read.
func checkParsed(t *testing.T, key *jwt.Key) {
	t.Helper()
	symmetric := key.Public() == nil
	text, err := key.MarshalJWK(key.CanSign())
	if err != nil {
		t.Fatal(err)
	}
	again, err := jwt.ParseJWK(text)
	if err != nil {
		t.Fatalf("what was written is not read: %v", err)
	}
	if again.Thumbprint() != key.Thumbprint() || again.Algorithm() != key.Algorithm() ||
		again.CanSign() != key.CanSign() {
		t.Fatalf("%v was read as %v", key, again)
	}
	if public := key.Public(); !symmetric && (public.CanSign() || public.Thumbprint() != key.Thumbprint()) {
		t.Fatal(public)
	}
	if key.CanSign() && !verifies(t, key, bareToken(t, key)) {
		t.Fatalf("%v does not verify what it signs", key)
	}
}

func FuzzParseJWK(f *testing.F) {
	for _, jwk := range []string{rfc7517A1EC, rfc7517A1RSA, rfc7517A2RSA, rfc7517A3KW, rfc7517A3HMAC, rfc7520ECPrivate,
		rfc7520OctKey, rfc7515A3Key, rfc7515A4Key,
		rfc8037Key, rfc8037Private, `{}`, `{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQ","p":"AA","q":"AA"}`} {
		f.Add([]byte(jwk))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if key, err := jwt.ParseJWK(text); err == nil {
			checkParsed(t, key)
		} else if key != nil {
			t.Fatal(key, err)
		}
	})
}

func FuzzParseJWKS(f *testing.F) {
	for _, keys := range []string{"", rfc7517A1RSA, rfc7517A1EC + "," + rfc7515A3Key,
		rfc7517A3KW + "," + rfc8037Private + "," + rfc7520OctKey, "{},7,null"} {
		f.Add([]byte(`{"keys":[` + keys + `]}`))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := jwt.ParseJWKS(text)
		if err != nil {
			return
		}
		if keys.Signing() != nil {
			t.Fatal("a key of others signs")
		}
		for _, key := range keys.Keys() {
			if key.CanSign() || key.Public() == nil {
				t.Fatal(key)
			}
			checkParsed(t, key)
		}
		published := serveRequest(jwt.NewJWKSHandler(keys, 0), "GET", "/").Body.Bytes()
		if again, err := jwt.ParseJWKS(published); err != nil || len(again.Keys()) != len(keys.Keys()) {
			t.Fatalf("%s: %v", published, err)
		}
	})
}
