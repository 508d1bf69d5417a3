package jwt_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	golang "github.com/golang-jwt/jwt/v5"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// The private keys of RFC 7515 A.3 and RFC 7520 §3.4: a fuzz target needs the
// same keys in each of its processes.
const rfc7515A3Private = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}`

var rfc7520RSAPrivate = `{"kty":"RSA","e":"AQAB","n":"` +
	"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMa" +
	"JMRBSFKrKb2wqVwGU_NsYOYL" +
	"-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bT" +
	"wJlsde3uhGqC0ZCuEHg8lhzw" +
	"OHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw" +
	`","d":"` +
	"bWUC9B-EFRIo8kpGfh0ZuyGPvMNKvYWNtB_ikiH9k20eT-O1q_I78eiZkpXxXQ0UTEs2LsNRS-8uJbvQ-A1irkwMSMkK1J3X" +
	"TGgdrhCku9gRldY7sNA_AKZG" +
	"h-Q661_42rINLRCe8W-nZ34ui_qOfkLnK9QWDDqpaIsA-bMwWWSDFu2MUBYwkHTMEzLYGqOe04noqeq1hExBTHBOBdkMXiuF" +
	"hUq1BU6l-DqEiWxqg82sXt2h" +
	"-LMnT3046AOYJoRioz75tSUQfGCshWTBnP5uDjd18kKhyv07lhfSJdrPdM5Plyl21hsFf4L_mHCuoFau7gdsPfHPxxjVOcOpBrQzwQ" +
	`","p":"` +
	"3Slxg_DwTXJcb6095RoXygQCAZ5RnAvZlno1yhHtnUex_fp7AZ_9nRaO7HX_-SFfGQeutao2TDjDAWU4Vupk8rw9JR0AzZ0N" +
	"2fvuIAmr_WCsmGpeNqQnev1T" +
	"7IyEsnh8UMt-n5CafhkikzhEsrmndH6LxOrvRJlsPp6Zv8bUq0k" +
	`","q":"` +
	"uKE2dh-cTf6ERF4k4e_jy78GfPYUIaUyoSSJuBzp3Cubk3OCqs6grT8bR_cu0Dm1MZwWmtdqDyI95HrUeq3MP15vMMON8lHT" +
	"eZu2lmKvwqW7anV5UzhM1iZ7" +
	"z4yMkuUwFWoBvyY898EXvRD-hdqRxHlSqAZ192zB3pVFJ0s7pFc" + `"}`

var fuzzAlgorithms = []jwt.Algorithm{jwt.HS256, jwt.ES256, jwt.EdDSA, jwt.RS256}

// fuzzKeys are one key of each of fuzzAlgorithms, named by it.
func fuzzKeys(t testing.TB) *jwt.KeySet {
	var keys []*jwt.Key
	for i, text := range []string{rfc7515A1Key, rfc7515A3Private, rfc8037Private, rfc7520RSAPrivate} {
		key, err := jwt.ParseJWK([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key.WithID(string(fuzzAlgorithms[i])))
	}
	set, err := jwt.NewKeySet(nil, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func signText(t testing.TB, key *jwt.Key, header, payload string) string {
	input := encode(header) + "." + encode(payload)
	signature, err := jwt.SignText(key, input)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + encode(string(signature))
}

// fuzzPayload is good until the year 2100.
const fuzzPayload = `{"iss":"` + ourIssuer + `","sub":"alice","aud":["` + ourAudience +
	`","x"],"iat":1700000000,"nbf":1.7e9,"exp":4102444800.5,"jti":"1","scope":"read"}`

// FuzzVerifyToken presents anything: it is never a panic and never an outage, what
// is not ours costs no question for keys, and what is accepted was signed.
func FuzzVerifyToken(f *testing.F) {
	keys := fuzzKeys(f)
	signed := map[string]bool{}
	for i, key := range keys.Keys() {
		for _, header := range []string{`{"alg":"` + string(fuzzAlgorithms[i]) + `","typ":"at+jwt"}`,
			`{"alg":"` + string(fuzzAlgorithms[i]) + `","kid":"` + key.ID() + `","typ":"at+jwt"}`} {
			token := signText(f, key, header, fuzzPayload)
			signed[token[:strings.LastIndexByte(token, '.')]] = true
			f.Add(token)
			verifier := verifierOf(f, jwt.Issuer{Keys: keys, User: jwt.SubjectUser})
			if _, _, err := verifier.VerifyToken(f.Context(), token); err != nil {
				f.Fatalf("a target that accepts nothing: %v", err)
			}
		}
	}
	for _, token := range []string{"", ".", "..", "a.b.c", rfc7515A1, rfc7515A2, rfc7515A3, rfc7515A4, rfc7515A5,
		encode(es256) + "." + encode(fuzzPayload) + ".AAAA",
		encode(`{"alg":"none"}`) + "." + encode(fuzzPayload) + ".AAAA", strings.Repeat(".", 100), "a.b.c.d.e"} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		source := &source{keys: keys}
		verifier := verifierOf(t, jwt.Issuer{Keys: published{keys}, User: jwt.SubjectUser, MachinePrefix: "a/"},
			jwt.Issuer{MachinePrefix: "b/", Issuer: "joe", Keys: source, User: jwt.SubjectUser,
				Checks: jwt.TokenChecks{AllowNoIssuer: true, AllowNoAudience: true}})
		for range 2 {
			user, credential, err := verifier.VerifyToken(t.Context(), token)
			if err == nil {
				if user == nil || credential == nil || !signed[token[:strings.LastIndexByte(token, '.')]] {
					t.Fatalf("accepted: %v, %v", user, credential)
				}
				continue
			}
			kind := auth.KindOf(err)
			if kind != auth.ErrUnrecognized && kind != auth.ErrInvalid && kind != auth.ErrMalformed {
				t.Fatalf("%v: kind %v", err, kind)
			}
			if user != nil || credential != nil {
				t.Fatalf("%v and %v beside %v", user, credential, err)
			}
			if kind != auth.ErrInvalid && source.asked.Load() > 0 {
				t.Fatalf("keys were asked for, and then %v", err)
			}
		}
	})
}

// FuzzVerifierAgreesWithGolangJWT signs any header and payload, or takes any
// token: what we accept, golang-jwt accepts too, and reads the same in it.
//
// It is compared by MapClaims. RegisteredClaims are read by encoding/json in any
// case: see TestNamesOfAnotherCaseAreOtherNames.
func FuzzVerifierAgreesWithGolangJWT(f *testing.F) {
	for i, algorithm := range fuzzAlgorithms {
		for _, payload := range []string{fuzzPayload,
			strings.Replace(fuzzPayload, "4102444800.5", "1", 1), strings.Replace(fuzzPayload, `"exp":4102444800.5,`,
				"", 1), strings.Replace(fuzzPayload, "1.7e9", "4e9", 1),
			strings.Replace(fuzzPayload, `"alice"`, `17`, 1), strings.Replace(fuzzPayload, `"exp"`, `"EXP"`,
				1), strings.Replace(fuzzPayload, `["`+ourAudience+`","x"]`, `"`+ourAudience+`"`, 1),
			strings.Replace(fuzzPayload, "1700000000", "-5e-1", 1), strings.Replace(fuzzPayload, "4102444800.5",
				"253402300799", 1), fuzzPayload[:len(fuzzPayload)-1] + `,"x":{"y":[null,1e999]}}`} {
			for _, header := range []string{`{"alg":"` + string(algorithm) + `","typ":"at+jwt"}`,
				`{"alg":"` + string(algorithm) + `","kid":"` + string(algorithm) + `"}`} {
				f.Add(uint8(i), header, payload, "")
			}
		}
		key := fuzzKeys(f).Keys()[i] // the first process signs its token for all
		f.Add(uint8(i), "", "", signText(f, key, `{"alg":"`+string(algorithm)+`","typ":"at+jwt"}`, fuzzPayload))
	}
	keys := fuzzKeys(f)
	verifier := verifierOf(f, jwt.Issuer{Keys: keys, User: jwt.SubjectUser,
		Checks: jwt.TokenChecks{Types: []string{"at+jwt", "JWT", ""}, Leeway: 2 * time.Second}})
	material := map[string]any{}
	for i, key := range keys.Keys() {
		material[string(fuzzAlgorithms[i])] = jwt.Material(key)
	}
	parse := func(token string, now time.Time, claims golang.Claims) error {
		_, err := golang.ParseWithClaims(token, claims, func(token *golang.Token) (any, error) {
			id, _ := token.Header["kid"].(string)
			key := material[either(id, token.Method.Alg())]
			if key == nil || id != "" && id != token.Method.Alg() {
				return nil, errors.New("no key")
			}
			return key, nil
		}, golang.WithValidMethods([]string{"HS256", "ES256", "EdDSA", "RS256"}), golang.WithIssuer(ourIssuer),
			golang.WithAudience(ourAudience),
			golang.WithExpirationRequired(), golang.WithIssuedAt(), golang.WithLeeway(
				2*time.Second), golang.WithStrictDecoding(),
			golang.WithTimeFunc(func() time.Time { return now }))
		return err
	}
	if token := signText(f, keys.Keys()[0], `{"alg":"HS256","typ":"at+jwt"}`, fuzzPayload); kindOf(verifier,
		token) != nil || parse(token, time.Now(), golang.MapClaims{}) != nil {
		f.Fatal("a target that accepts nothing")
	}
	f.Fuzz(func(t *testing.T, algorithm uint8, header, payload, token string) {
		if token == "" {
			token = signText(t, keys.Keys()[int(algorithm)%len(fuzzAlgorithms)], header, payload)
		}
		before := time.Now()
		user, credential, err := verifier.VerifyToken(t.Context(), token)
		if err != nil {
			if auth.KindOf(err) == nil {
				t.Fatalf("an outage: %v", err)
			}
			return
		}
		read := golang.MapClaims{}
		if err := parse(token, before, read); err != nil {
			clear(read)
			err = parse(token, time.Now(), read) // a second may have begun
			if err != nil && !tooLarge(token) {
				t.Fatalf("accepted, but golang-jwt says: %v", err)
			}
			if err != nil {
				return
			}
		}
		ours := credential.(*jwt.Token)
		issuer, _ := read.GetIssuer()
		audience, _ := read.GetAudience()
		expires, _ := read.GetExpirationTime()
		if issuer != ours.Issuer() || strings.Join(audience, " ") != strings.Join(ours.Audience(), " ") ||
			!expires.Equal(ours.ExpiresAt()) {
			t.Fatalf("%q %q %v, by golang-jwt %q %q %v", ours.Issuer(), ours.Audience(), ours.ExpiresAt(), issuer,
				audience, expires)
		}
		if subject, err := read.GetSubject(); err == nil && subject != user.UserID() {
			t.Fatalf("%q, by golang-jwt %q", user.UserID(), subject)
		}
	})
}

// tooLarge reports a claim with a number that is JSON but no float64: we read it
// only where it means something to us, MapClaims always.
func tooLarge(token string) bool {
	for _, segment := range strings.Split(token, ".")[:2] {
		text, _ := base64.RawURLEncoding.DecodeString(segment)
		var all map[string]any
		var fault *json.UnmarshalTypeError
		if errors.As(json.Unmarshal(text, &all), &fault) && strings.HasPrefix(fault.Value, "number") {
			return true
		}
	}
	return false
}

// Two readers that do not agree what a token says are two tokens: RFC 7519 §4
// compares names as they are, and encoding/json, which RegisteredClaims use,
// takes them in any case.
func TestNamesOfAnotherCaseAreOtherNames(t *testing.T) {
	key := keySetOf(t, rfc7515A1Key).Keys()[0]
	token := signText(t, key, `{"alg":"HS256","typ":"at+jwt"}`, strings.Replace(fuzzPayload, `"exp"`, `"EXP"`, 1))
	_, err := golang.ParseWithClaims(token, &golang.RegisteredClaims{}, func(*golang.Token) (any, error) {
		return rfcSecret(t), nil
	}, golang.WithExpirationRequired())
	if err != nil {
		t.Errorf("golang-jwt no longer differs: %v", err)
	}
	if _, _, err := verifierOf(t, jwt.Issuer{Keys: keySetOf(t, rfc7515A1Key),
		User: jwt.SubjectUser}).VerifyToken(t.Context(), token); auth.KindOf(err) != auth.ErrInvalid {
		t.Error(err)
	}
}

// FuzzUnitDecode compares the decoder of parts of tokens with package base64.
func FuzzUnitDecode(f *testing.F) {
	for _, n := range []int{0, 1, 3, 4, 1365, 1366, 1367, 2000} {
		f.Add(strings.Repeat("A", n))
	}
	f.Add("AB")
	f.Add("A=")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "\r\n") {
			return // which takeApart refuses
		}
		want, err := base64.RawURLEncoding.Strict().DecodeString(text)
		if got, ok := jwt.DecodePart(text); ok != (err == nil) || ok && got != string(want) {
			t.Errorf("%q: want %q and %v, got %q and %v", text, want, err, got, ok)
		}
	})
}
