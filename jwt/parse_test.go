package jwt_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	golang "github.com/golang-jwt/jwt/v5"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

const ourIssuer, ourAudience = "https://login.example", "https://api.example"

// signers are keys in their own forms, and as the keys of an issuer, by the name
// of their algorithm.
type signers struct {
	secret []byte
	rsa    *rsa.PrivateKey
	ec     *ecdsa.PrivateKey
	ed     ed25519.PrivateKey
	keys   *jwt.KeySet // none of which can sign but the secret
}

func newSigners() *signers {
	s := &signers{secret: make([]byte, 32)}
	_, _ = rand.Read(s.secret)
	var err error
	if s.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		panic(err)
	}
	if s.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		panic(err)
	}
	if _, s.ed, err = ed25519.GenerateKey(rand.Reader); err != nil {
		panic(err)
	}
	var keys []*jwt.Key
	for algorithm, material := range map[jwt.Algorithm]any{jwt.HS256: s.secret, jwt.RS256: &s.rsa.PublicKey,
		jwt.ES256: &s.ec.PublicKey, jwt.EdDSA: s.ed.Public()} {
		key, err := jwt.NewKey(algorithm, material)
		if err != nil {
			panic(err)
		}
		keys = append(keys, key.WithID(string(algorithm)))
	}
	if s.keys, err = jwt.NewKeySet(nil, keys...); err != nil {
		panic(err)
	}
	return s
}

// ours are the keys of the issuer, theirs those of somebody else.
var ours, theirs = sync.OnceValue(newSigners), sync.OnceValue(newSigners)

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// sign signs by an algorithm's own key, whatever the header says.
func (s *signers) sign(algorithm, header, payload string) string {
	return forge(algorithm, map[string]any{"HS256": s.secret, "RS256": s.rsa, "RS512": s.rsa, "PS256": s.rsa,
		"ES256": s.ec, "EdDSA": s.ed}[algorithm], header, payload)
}

// forge signs any header and payload, by any key.
func forge(algorithm string, key any, header, payload string) string {
	input := encode(header) + "." + encode(payload)
	signature, err := golang.GetSigningMethod(algorithm).Sign(input, key)
	if err != nil {
		panic(err)
	}
	return input + "." + encode(string(signature))
}

// claims are changes to those of a good token, values in JSON; "" takes one away.
type claims map[string]string

// payload returns a good token's claims with changes, and further members as
// they are, of the instant that the clock shows.
func payload(changes claims, further ...string) string {
	now := time.Now().Unix()
	good := claims{"iss": `"` + ourIssuer + `"`, "sub": `"alice"`, "aud": `"` + ourAudience + `"`,
		"iat": fmt.Sprint(now), "exp": fmt.Sprint(now + 300), "jti": `"5f5f"`}
	maps.Copy(good, changes)
	var members []string
	for _, name := range slices.Sorted(maps.Keys(good)) {
		if good[name] != "" {
			members = append(members, `"`+name+`":`+good[name])
		}
	}
	return "{" + strings.Join(append(members, further...), ",") + "}"
}

const es256 = `{"alg":"ES256","typ":"at+jwt"}`

// ourToken is a good token with changes.
func ourToken(changes claims, further ...string) string {
	return ours().sign("ES256", es256, payload(changes, further...))
}

// refused is any refusal: ErrUnrecognized or ErrInvalid.
var refused error = &auth.Error{}

// presented is a token, the issuer that verifies it, and what must become of it.
type presented struct {
	sentence string
	token    string
	issuer   func(*jwt.Issuer) // what is different of the issuer
	want     error             // nil if it is accepted
	user     string            // the user, if accepted; "" is alice
}

// check presents each token twice to a verifier and twice to a guard before it.
// Nothing of the application may be called for a token that is refused.
func check(t *testing.T, all []presented) {
	t.Helper()
	for _, c := range all {
		calls := 0
		issuer := jwt.Issuer{Issuer: ourIssuer, Audience: []string{ourAudience}, Keys: ours().keys,
			Claims: func(payload []byte) (any, error) { calls++; return jwt.ClaimsAs[map[string]any](payload) }}
		issuer.User = func(_ contextOf, token *jwt.Token) (auth.User, error) {
			calls++
			return jwt.Subject{ID: token.Subject()}, nil
		}
		if c.issuer != nil {
			c.issuer(&issuer)
		}
		for _, size := range []int{0, -1} {
			verifier, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{issuer}, CacheSize: size})
			if err != nil {
				t.Fatalf("%s: %v", c.sentence, err)
			}
			guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{verifier}})
			if err != nil {
				t.Fatal(err)
			}
			h := guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				user, _ := auth.UserFrom[auth.User](r.Context())
				_, _ = w.Write([]byte(user.UserID()))
			}))
			for range 2 {
				user, credential, err := verifier.VerifyToken(t.Context(), c.token)
				kind := auth.KindOf(err)
				switch {
				case c.want == nil && err != nil:
					t.Errorf("%s: %v", c.sentence, err)
				case c.want == refused && kind != auth.ErrUnrecognized && kind != auth.ErrInvalid, c.want != nil &&
					c.want != refused && kind != c.want:
					t.Errorf("%s: %v, want %v", c.sentence, err, c.want)
				case err != nil && (user != nil || credential != nil):
					t.Errorf("%s: %v and %v beside an error", c.sentence, user, credential)
				case err == nil && c.want == nil && user.UserID() != either(c.user, "alice"):
					t.Errorf("%s: user %q", c.sentence, user.UserID())
				}
				r := httptest.NewRequest("GET", "/", nil)
				r.Header["Authorization"] = []string{"Bearer " + c.token}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				switch {
				case c.want == nil && (w.Code != 200 || w.Body.String() != either(c.user, "alice")):
					t.Errorf("%s: %d %s", c.sentence, w.Code, w.Body)
				case c.want != nil && w.Code != 401 && w.Code != 400:
					t.Errorf("%s: %d", c.sentence, w.Code)
				}
			}
			if n, _ := jwt.Cached(verifier, c.token, time.Now()); c.want != nil &&
				(calls > 0 || n > 0 || jwt.KnownHeaders(verifier) > 0 &&
					kindOf(verifier, c.token) == auth.ErrUnrecognized) {
				t.Errorf("%s: %d calls, %d cached, %d headers kept", c.sentence, calls, n, jwt.KnownHeaders(verifier))
			}
		}
	}
}

func kindOf(v *jwt.Verifier, token string) error {
	_, _, err := v.VerifyToken(noContext, token)
	return auth.KindOf(err)
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func TestGoodTokensOfEachAlgorithm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []presented
		for _, algorithm := range []string{"HS256", "RS256", "ES256", "EdDSA"} {
			all = append(all,
				presented{sentence: algorithm,
					token: ours().sign(algorithm, `{"alg":"`+algorithm+`","typ":"at+jwt","kid":"`+algorithm+`"}`,
						payload(nil))},
				presented{sentence: algorithm + " without kid, as the only key of its algorithm",
					token: ours().sign(algorithm, `{"alg":"`+algorithm+`","typ":"at+jwt"}`, payload(nil))},
				presented{sentence: algorithm + " by keys of others",
					token: theirs().sign(algorithm, `{"alg":"`+algorithm+`","typ":"at+jwt","kid":"`+algorithm+`"}`,
						payload(nil)), want: auth.ErrInvalid},
				presented{sentence: algorithm + " of an unknown kid",
					token: ours().sign(algorithm, `{"alg":"`+algorithm+`","typ":"at+jwt","kid":"other"}`, payload(nil)),
					want:  auth.ErrInvalid},
				presented{sentence: algorithm + " of an empty kid",
					token: ours().sign(algorithm, `{"alg":"`+algorithm+`","typ":"at+jwt","kid":""}`, payload(nil))})
			for _, other := range []string{"HS256", "RS256", "ES256", "EdDSA"} {
				if other != algorithm {
					all = append(all, presented{sentence: algorithm + " by the kid of " + other,
						token: ours().sign(algorithm, `{"alg":"`+algorithm+`","typ":"at+jwt","kid":"`+other+`"}`,
							payload(nil)), want: auth.ErrInvalid})
				}
			}
		}
		check(t, all)
	})
}

// Peer defect 28 and RFC 7515 §2: base64url has one spelling.
func TestEachPartHasOneSpelling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		header, body := `{"alg":"ES256","typ":"at+jwt" }`, payload(nil)
		for len(body)%3 == 0 {
			body += " "
		}
		good := ours().sign("ES256", header, body)
		segments := strings.Split(good, ".")
		all := []presented{{sentence: "as it is", token: good}}
		for i, segment := range segments {
			with := func(changed string) string {
				parts := slices.Clone(segments)
				parts[i] = changed
				return strings.Join(parts, ".")
			}
			stray := ""
			if len(segment)%4 != 0 {
				const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
				last := strings.IndexByte(alphabet, segment[len(segment)-1])
				stray = segment[:len(segment)-1] + string(alphabet[last+1])
				a, _ := base64.RawURLEncoding.DecodeString(segment)
				if b, err := base64.RawURLEncoding.DecodeString(stray); err != nil || string(a) != string(b) {
					t.Fatal("the test does not do what it says")
				}
			} else {
				t.Fatalf("part %d has no stray bits", i)
			}
			for sentence, changed := range map[string]string{
				"a line break at its end": segment + "\n", "a line break inside": segment[:5] + "\r\n" + segment[5:],
				"a line break at its start": "\n" + segment, "a carriage return": segment[:5] + "\r" + segment[5:],
				"padding": segment + "=", "more padding": segment + "==", "stray bits": stray, "a space": segment[:5] +
					" " + segment[5:], "a NUL": segment + "\x00",
				"a character too many": segment + "A", "one too few": segment[:len(segment)-1], "nothing in it": "",
				"standard base64": base64.RawStdEncoding.EncodeToString([]byte{0xff, 0xef}) + segment,
				"a question mark": "?" + segment, "a percent sign": segment + "%3D",
			} {
				all = append(all, presented{sentence: fmt.Sprintf("part %d with %s", i, sentence), token: with(changed),
					want: refused})
			}
		}
		for sentence, token := range map[string]string{
			"nothing": "", "a dot": ".", "two dots": "..", "three dots": "...", "one part": segments[0],
			"two parts":    segments[0] + "." + segments[1],
			"no signature": segments[0] + "." + segments[1] + ".", "a fourth part": good + ".x",
			"an empty fourth part": good + ".",
			"an empty part before": "." + good, "five parts, as a JWE has": good + ".x.y",
			"only a payload": "." + segments[1] + ".",
			"JSON": `{"payload":"` + segments[1] + `","protected":"` + segments[0] + `","signature":"` +
				segments[2] + `"}`,
		} {
			all = append(all, presented{sentence: sentence, token: token, want: auth.ErrUnrecognized})
			if token == "" {
				all[len(all)-1].want = auth.ErrUnrecognized
			}
		}
		check(t, all)
	})
}

func TestSignaturesThatAreNotQuiteOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := ourToken(nil)
		dot := strings.LastIndexByte(good, '.')
		raw, _ := base64.RawURLEncoding.DecodeString(good[dot+1:])
		r, s := raw[:32], raw[32:]
		der, err := ecdsa.SignASN1(rand.Reader, ours().ec, make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		n := elliptic.P256().Params().N
		plusN := new(big.Int).Add(new(big.Int).SetBytes(s), n)
		rs := ours().sign("RS256", `{"alg":"RS256","typ":"at+jwt"}`, payload(nil))
		rsDot := strings.LastIndexByte(rs, '.')
		rsRaw, _ := base64.RawURLEncoding.DecodeString(rs[rsDot+1:])
		ed := ours().sign("EdDSA", `{"alg":"EdDSA","typ":"at+jwt"}`, payload(nil))
		edDot := strings.LastIndexByte(ed, '.')
		edRaw, _ := base64.RawURLEncoding.DecodeString(ed[edDot+1:])
		// RFC 8032 §5.1.7 step 1: S below the order of the group.
		order, _ := new(big.Int).SetString(
			"7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
		edS := slices.Clone(edRaw[32:])
		slices.Reverse(edS)
		edS = new(big.Int).Add(new(big.Int).SetBytes(edS), order).FillBytes(make([]byte, 32))
		slices.Reverse(edS)
		hs := ours().sign("HS256", `{"alg":"HS256","typ":"at+jwt"}`, payload(nil))
		hsDot := strings.LastIndexByte(hs, '.')
		hsRaw, _ := base64.RawURLEncoding.DecodeString(hs[hsDot+1:])
		join := func(token string, at int, parts ...[]byte) string {
			return token[:at+1] + encode(string(slices.Concat(parts...)))
		}
		check(t, []presented{
			{sentence: "as it is", token: join(good, dot, r, s)},
			{sentence: "r and s swapped", token: join(good, dot, s, r), want: auth.ErrInvalid},
			{sentence: "a byte too few", token: join(good, dot, raw[:63]), want: auth.ErrInvalid},
			{sentence: "a zero before", token: join(good, dot, []byte{0}, raw), want: auth.ErrInvalid},
			{sentence: "a zero after", token: join(good, dot, raw, []byte{0}), want: auth.ErrInvalid},
			{sentence: "a zero before r and before s", token: join(good, dot, []byte{0}, r, []byte{0}, s),
				want: auth.ErrInvalid},
			{sentence: "r and s are zero", token: join(good, dot, make([]byte, 64)), want: auth.ErrInvalid},
			{sentence: "r is zero", token: join(good, dot, make([]byte, 32), s), want: auth.ErrInvalid},
			{sentence: "s and the order of the curve",
				token: join(good, dot, []byte{0}, r, plusN.FillBytes(make([]byte, 33))), want: auth.ErrInvalid},
			{sentence: "twice", token: join(good, dot, raw, raw), want: auth.ErrInvalid},
			{sentence: "ASN.1", token: join(good, dot, der), want: auth.ErrInvalid},
			{sentence: "of another token",
				token: good[:dot+1] +
					ourToken(claims{"sub": `"bob"`})[strings.LastIndexByte(ourToken(claims{"sub": `"bob"`}), '.')+1:],
				want: auth.ErrInvalid},
			{sentence: "longer than any", token: join(good, dot, make([]byte, 2000)), want: auth.ErrInvalid},
			{sentence: "RSA with a zero before", token: join(rs, rsDot, []byte{0}, rsRaw), want: auth.ErrInvalid},
			{sentence: "RSA without its last byte", token: join(rs, rsDot, rsRaw[:255]), want: auth.ErrInvalid},
			{sentence: "RSA: zero", token: join(rs, rsDot, make([]byte, 256)), want: auth.ErrInvalid},
			{sentence: "RSA: one", token: join(rs, rsDot, make([]byte, 255), []byte{1}), want: auth.ErrInvalid},
			{sentence: "RSA: the modulus and it",
				token: join(rs, rsDot, new(big.Int).Add(new(big.Int).SetBytes(rsRaw), ours().rsa.N).FillBytes(
					make([]byte, 257))), want: auth.ErrInvalid},
			{sentence: "Ed25519 as it is", token: join(ed, edDot, edRaw)},
			{sentence: "Ed25519 with the order of the group added", token: join(ed, edDot, edRaw[:32], edS),
				want: auth.ErrInvalid},
			{sentence: "Ed25519 without its last byte", token: join(ed, edDot, edRaw[:63]), want: auth.ErrInvalid},
			{sentence: "Ed25519: zero", token: join(ed, edDot, make([]byte, 64)), want: auth.ErrInvalid},
			{sentence: "HMAC as it is", token: hs},
			{sentence: "HMAC, the first half", token: join(hs, hsDot, hsRaw[:16]), want: auth.ErrInvalid},
			{sentence: "HMAC, one byte", token: join(hs, hsDot, hsRaw[:1]), want: auth.ErrInvalid},
			{sentence: "HMAC and a byte more", token: join(hs, hsDot, hsRaw, []byte{0}), want: auth.ErrInvalid},
		})
	})
}

// RS18, peer defect 26, and RFC 8725 §3.1, §3.5 and §3.10.
func TestHeadersThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ec, es := ours().ec, theirs().ec
		embedded, err := jwt.NewKey(jwt.ES256, &es.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		jwk, err := embedded.MarshalJWK(false)
		if err != nil {
			t.Fatal(err)
		}
		spki, _ := x509.MarshalPKIXPublicKey(&ours().rsa.PublicKey)
		publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
		pkcs1 := x509.MarshalPKCS1PublicKey(&ours().rsa.PublicKey)
		hs := `{"alg":"HS256","typ":"at+jwt"`
		ecSPKI, _ := x509.MarshalPKIXPublicKey(&ec.PublicKey)
		rsaOnly := func(i *jwt.Issuer) { // a key without "alg", as some publish
			key, err := jwt.NewKey("", &ours().rsa.PublicKey)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := key.MarshalJWK(false)
			if key, err = jwt.ParseJWK([]byte(strings.Replace(string(text), `"alg":"RS256",`, "", 1))); err != nil ||
				key.Algorithm() != "" {
				t.Fatal(key, err)
			}
			i.Keys, err = jwt.NewKeySet(nil, key.WithID("RS256"))
			if err != nil {
				t.Fatal(err)
			}
		}
		all := []presented{
			{sentence: "a key without alg verifies RS256", token: ours().sign("RS256", `{"alg":"RS256","typ":"at+jwt"}`,
				payload(nil)), issuer: rsaOnly},
			{sentence: "a key without alg verifies PS256", token: ours().sign("PS256", `{"alg":"PS256","typ":"at+jwt"}`,
				payload(nil)), issuer: rsaOnly},
			{sentence: "a key for RS256 does not verify PS256",
				token: ours().sign("PS256", `{"alg":"PS256","typ":"at+jwt"}`, payload(nil)), want: auth.ErrInvalid},
			{sentence: "a key for RS256 does not verify RS512",
				token: ours().sign("RS512", `{"alg":"RS512","typ":"at+jwt"}`, payload(nil)), want: auth.ErrInvalid},
			{sentence: "an algorithm that is not listed", token: ours().sign("EdDSA", `{"alg":"EdDSA","typ":"at+jwt"}`,
				payload(nil)), want: auth.ErrInvalid,
				issuer: func(i *jwt.Issuer) { i.Checks.Algorithms = []jwt.Algorithm{jwt.ES256} }},
			{sentence: "an algorithm that is listed", token: ours().sign("EdDSA", `{"alg":"EdDSA","typ":"at+jwt"}`,
				payload(nil)),
				issuer: func(i *jwt.Issuer) { i.Checks.Algorithms = []jwt.Algorithm{jwt.ES256, jwt.EdDSA} }},
			{sentence: "HS256 where only public keys are trusted", token: ours().sign("HS256", hs+`}`, payload(nil)),
				want:   auth.ErrInvalid,
				issuer: func(i *jwt.Issuer) { i.Keys = published{ours().keys} }},
			{sentence: "a header that is no base64url", token: "!!!." + encode(payload(nil)) + ".AAAA",
				want: auth.ErrUnrecognized},
		}
		for sentence, key := range map[string][]byte{"PEM": publicPEM, "PEM without its last line break": []byte(
			strings.TrimSuffix(string(publicPEM), "\n")), "DER": spki, "PKCS #1": pkcs1,
			"PEM of PKCS #1": pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}),
			"its modulus":    ours().rsa.N.Bytes(), "an EC key": ecSPKI, "nothing": {}} {
			for _, issuer := range []func(*jwt.Issuer){nil, rsaOnly} {
				all = append(all, presented{sentence: "HS256 by the public key as a secret: " + sentence,
					token: forge("HS256", key, hs+`}`, payload(nil)), want: auth.ErrInvalid, issuer: issuer},
					presented{sentence: "HS256 by the public key as a secret, with its kid: " + sentence,
						token: forge("HS256", key, hs+`,"kid":"RS256"}`, payload(nil)), want: auth.ErrInvalid,
						issuer: issuer})
			}
		}
		for _, none := range []string{"none", "None", "NONE", "nOnE", "", "HS256 ", "es256", "ES256K", "HS1", "ES512"} {
			header := `{"alg":"` + none + `","typ":"at+jwt"}`
			unsigned := encode(header) + "." + encode(payload(nil)) + "."
			all = append(all, presented{sentence: "alg " + none + " without a signature", token: unsigned,
				want: auth.ErrUnrecognized},
				presented{sentence: "alg " + none, token: unsigned + "AAAA", want: auth.ErrInvalid},
				presented{sentence: "alg " + none + " with a good signature",
					token: ours().sign("ES256", header, payload(nil)), want: auth.ErrInvalid},
				presented{sentence: "alg " + none + " with a good MAC",
					token: ours().sign("HS256", header, payload(nil)), want: auth.ErrInvalid})
		}
		for header, want := range map[string]error{
			`{"typ":"at+jwt"}`:                 auth.ErrUnrecognized,
			`{"ALG":"ES256","typ":"at+jwt"}`:   auth.ErrUnrecognized,
			`["ES256"]`:                        auth.ErrUnrecognized,
			`"ES256"`:                          auth.ErrUnrecognized,
			`null`:                             auth.ErrUnrecognized,
			`{"alg":"ES256","typ":"at+jwt"`:    auth.ErrUnrecognized,
			`{"alg":"ES256","typ":"at+jwt"}{}`: auth.ErrUnrecognized,
			"\ufeff" + es256:                   auth.ErrUnrecognized,
			"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"x\":\"\xff\"}": auth.ErrUnrecognized,
			`{"alg":"ES256","typ":"at+jwt","x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) +
				`}`: auth.ErrUnrecognized,
			`{"alg":1,"typ":"at+jwt"}`:                                  auth.ErrInvalid,
			`{"alg":null,"typ":"at+jwt"}`:                               auth.ErrInvalid,
			`{"alg":["ES256"],"typ":"at+jwt"}`:                          auth.ErrInvalid,
			`{"alg":"ES256","alg":"ES256","typ":"at+jwt"}`:              auth.ErrInvalid,
			`{"alg":"none","alg":"ES256","typ":"at+jwt"}`:               auth.ErrInvalid,
			`{"alg":"ES256","typ":"at+jwt","x":1,"x":1}`:                auth.ErrInvalid,
			`{"alg":"ES256","typ":"at+jwt","\u0061lg":"ES256"}`:         auth.ErrInvalid,
			`{"alg":"ES256","typ":"at+jwt","kid":1}`:                    auth.ErrInvalid,
			`{"alg":"ES256","typ":"at+jwt","kid":null}`:                 nil, // as if it were left out
			`{"alg":"ES256","typ":"at+jwt","kid":["ES256"]}`:            auth.ErrInvalid,
			`{"alg":"ES256","typ":"at+jwt","kid":"../../etc/passwd"}`:   auth.ErrInvalid,
			`{"alg":"ES256","typ":"at+jwt","kid":"' OR 1=1"}`:           auth.ErrInvalid,
			`{"alg":"ES256","typ":"at+jwt","kid":"ES256\u0000"}`:        auth.ErrInvalid,
			`{"alg":"ES256","typ":["at+jwt"]}`:                          auth.ErrInvalid,
			`{"alg":"ES256","typ":null}`:                                auth.ErrInvalid,
			`{"alg":"ES256","typ":"at+jwt","crit":["exp"]}`:             auth.ErrInvalid,
			`{"alg":"ES256","typ":"at+jwt","crit":["x"],"x":1}`:         auth.ErrInvalid,
			`{"alg":"ES256","typ":"at+jwt","crit":["alg"]}`:             auth.ErrInvalid,
			`{"alg":"ES256","typ":"at+jwt","crit":[]}`:                  auth.ErrInvalid,
			`{"alg":"ES256","typ":"at+jwt","crit":null}`:                auth.ErrInvalid,
			`{"alg":"ES256","typ":"at+jwt","crit":["b64"],"b64":false}`: auth.ErrInvalid, // RFC 7797
			`{"alg":"ES256","typ":"at+jwt","zip":"DEF"}`:                auth.ErrInvalid,
			`{"alg":"ES256","typ":"at+jwt","enc":"A128GCM"}`:            auth.ErrInvalid,
			`{"alg":"ES256","typ":"at+jwt","jku":"http://127.0.0.1/"}`:  auth.ErrInvalid,
			`{"alg":"ES256","typ":"at+jwt","x5u":"http://127.0.0.1/"}`:  auth.ErrInvalid,
			`{"alg":"ES256","typ":"at+jwt","x5c":["MIIB"]}`:             auth.ErrInvalid,
			`{"alg":"ES256","typ":"at+jwt","jwk":` + string(jwk) + `}`:  auth.ErrInvalid,

			`{"alg":"ES256","typ":"at+jwt","cty":"JWT","x5t":"AAAA","other":[1]}`: nil,
			" \r\n{ \"alg\" : \"ES256\" ,\t\"typ\" : \"at+jwt\" } \n":             nil,
			`{"\u0061lg":"ES25\u0036","typ":"at\u002bjwt"}`:                       nil,
			`{"alg":"ES256","typ":"at+jwt","ALG":"none","KID":"x"}`:               nil, // other names
		} {
			all = append(all, presented{sentence: header, token: ours().sign("ES256", header, payload(nil)),
				want: want})
			if want != nil {
				all = append(
					all, presented{sentence: header + " by others", token: theirs().sign("ES256", header, payload(nil)),
						want: want})
			}
		}
		check(t, all)
	})
}
