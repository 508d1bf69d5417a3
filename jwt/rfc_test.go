package jwt_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// The vectors of the RFCs, each with its key as a JWK.
const (
	rfc7515Claims  = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	rfc7520Payload = "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0" +
		"aGUgcm9hZCwgYW5kIGlmIHlv" +
		"dSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4"

	rfc7515A1Key = `{"kty":"oct","alg":"HS256","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`
	rfc7515A2Key = `{"kty":"RSA","e":"AQAB","n":"` +
		"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql" +
		"L-yRT-SFd2lZS-pCgNMsD1W_" +
		"YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2" +
		"R2CapHg665xsmtdVMTBQY4uD" +
		"Zlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ" + `"}`
	rfc7515A3Key = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	rfc7515A4Key = `{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",` +
		`"y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}`

	rfc7515A1 = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + rfc7515Claims +
		".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	rfc7515A2 = "eyJhbGciOiJSUzI1NiJ9." + rfc7515Claims + "." +
		"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujG" +
		"bds9uJdbF9CUAr7t1dnZcAcQ" +
		"jbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d" +
		"O--xi12jzDwusC-eOkHWEsqt" +
		"FZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
	rfc7515A3 = "eyJhbGciOiJFUzI1NiJ9." + rfc7515Claims +
		".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	rfc7515A4 = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA." +
		"AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwF" +
		"KdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
	rfc7515A5 = "eyJhbGciOiJub25lIn0." + rfc7515Claims + "."

	rfc7520RSAKey = `{"kty":"RSA","kid":"bilbo.baggins@hobbiton.example","use":"sig","e":"AQAB","n":"` +
		"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMa" +
		"JMRBSFKrKb2wqVwGU_NsYOYL" +
		"-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bT" +
		"wJlsde3uhGqC0ZCuEHg8lhzw" +
		"OHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw" + `"}`
	rfc7520ECKey = `{"kty":"EC","kid":"bilbo.baggins@hobbiton.example","use":"sig","crv":"P-521",` +
		`"x":"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt",` +
		`"y":"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1"}`
	rfc7520OctKey = `{"kty":"oct","kid":"018c0ae5-4d9b-471b-bfd6-eef314bc7037","use":"sig","alg":"HS256","k":"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"}`

	rfc8037Key     = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	rfc8037Private = `{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	rfc8037A4      = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc." +
		"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)

var rfcVectors = []struct{ name, key, token string }{
	{"RFC 7515 A.1, HS256", rfc7515A1Key, rfc7515A1},
	{"RFC 7515 A.2, RS256", rfc7515A2Key, rfc7515A2},
	{"RFC 7515 A.3, ES256", rfc7515A3Key, rfc7515A3},
	{"RFC 7515 A.4, ES512", rfc7515A4Key, rfc7515A4},
	{"RFC 7520 4.1, RS256", rfc7520RSAKey,
		"eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9." + rfc7520Payload + "." +
			"MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7P" +
			"NDi84wnB-BDkoBwA78185hX-" +
			"Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9Uzp" +
			"ERV0ePPQdLuW3IS_de3xyIrD" +
			"aLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg"},
	{"RFC 7520 4.2, PS384", rfc7520RSAKey,
		"eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9." + rfc7520Payload + "." +
			"cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dD" +
			"DItllVo6_1OLPpcbUrhiUSMx" +
			"bbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shn" +
			"r2lfJT8ImUjvAA2Xez2Mlp8c" +
			"BE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw"},
	{"RFC 7520 4.3, ES512", rfc7520ECKey,
		"eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9." + rfc7520Payload + "." +
			"AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPB" +
			"u_u_sDDyYjnAMDxXPn7XrT0l" +
			"w-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2"},
	{"RFC 7520 4.4, HS256", rfc7520OctKey,
		"eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9." + rfc7520Payload + "." +
			"s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0"},
	{"RFC 8037 A.5, EdDSA", rfc8037Key, rfc8037A4},
}

func keySetOf(t testing.TB, jwks ...string) *jwt.KeySet {
	t.Helper()
	var keys []*jwt.Key
	for _, text := range jwks {
		key, err := jwt.ParseJWK([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	set, err := jwt.NewKeySet(nil, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestSignaturesOfTheRFCs(t *testing.T) {
	for _, v := range rfcVectors {
		t.Run(v.name, func(t *testing.T) {
			keys := keySetOf(t, v.key)
			segments := strings.Split(v.token, ".")
			want, _ := base64.RawURLEncoding.DecodeString(segments[1])
			if payload, err := jwt.VerifyBare(keys, v.token); err != nil || payload != string(want) {
				t.Fatalf("%q, %v", payload, err)
			}
			// No byte of the header, the payload or the signature can be another.
			for i := range segments {
				raw, _ := base64.RawURLEncoding.DecodeString(segments[i])
				for at := 0; at < len(raw); at += 1 + i%2*7 { // of the payload every eighth
					raw[at] ^= 1 << (at % 8)
					changed := slices.Clone(segments)
					changed[i] = base64.RawURLEncoding.EncodeToString(raw)
					if _, err := jwt.VerifyBare(keys, strings.Join(changed, ".")); err == nil {
						t.Fatalf("byte %d of part %d does not matter", at, i)
					}
					raw[at] ^= 1 << (at % 8)
				}
			}
			for _, other := range rfcVectors {
				if other.key != v.key {
					if _, err := jwt.VerifyBare(keySetOf(t, other.key), v.token); err == nil {
						t.Errorf("verified with the key of %s", other.name)
					}
				}
			}
		})
	}
}

func TestTheSignatureOfRFC8037IsMade(t *testing.T) {
	key, err := jwt.ParseJWK([]byte(rfc8037Private))
	if err != nil {
		t.Fatal(err)
	}
	if got := key.Thumbprint(); got != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" { // RFC 8037 A.3
		t.Error(got)
	}
	signature, err := jwt.SignText(key, rfc8037A4[:strings.LastIndexByte(rfc8037A4, '.')])
	if err != nil || base64.RawURLEncoding.EncodeToString(signature) != rfc8037A4[strings.LastIndexByte(
		rfc8037A4, '.')+1:] {
		t.Errorf("%x, %v", signature, err)
	}
}

// The tokens of RFC 7515 A.1 to A.3 are JWTs, but name no user and no audience:
// that is all that is wrong with them until 2011-03-22T18:43:00Z.
func TestTokensOfRFC7515ByAVerifier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, v := range rfcVectors[:3] {
			verifier,
				err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{Issuer: "joe",
				Keys: keySetOf(t, v.key), User: jwt.SubjectUser,
				Checks: jwt.TokenChecks{AllowNoAudience: true, Types: []string{"", "JWT"}}}}})
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = verifier.VerifyToken(t.Context(), v.token)
			if auth.KindOf(err) != auth.ErrInvalid ||
				!strings.Contains(err.Error(), "no recognizable user identification") {
				t.Errorf("%s: %v", v.name, err)
			}
			for _, forged := range []string{v.token[:len(v.token)-8] + "AAAAAAAA", rfc7515A5, rfc7515A5 + "AAAA"} {
				_, _, err = verifier.VerifyToken(t.Context(), forged)
				if err == nil || strings.Contains(err.Error(), "user identification") {
					t.Errorf("%s: %v", forged, err)
				}
			}
		}
	})
}

func TestWhatIsNoSignedCompactTokenIsRefused(t *testing.T) {
	a2 := strings.Split(rfc7515A2, ".")
	a3 := strings.Split(rfc7515A3, ".")
	for _, c := range []struct{ sentence, token string }{
		{"RFC 7515 A.5, unsecured", rfc7515A5},
		{"RFC 7515 A.6, JSON of two signatures", `{"payload":"` + rfc7515Claims +
			`","signatures":[{"protected":"` + a2[0] +
			`","header":{"kid":"2010-12-29"},"signature":"` + a2[2] + `"},{"protected":"` + a3[0] +
			`","header":{"kid":"e9bc097a-ce51-4036-9562-d2ade882db0d"},"signature":"` + a3[2] + `"}]}`},
		{"RFC 7515 A.7, JSON of one signature", `{"payload":"` + rfc7515Claims + `","protected":"` + a3[0] +
			`","header":{"kid":"e9bc097a-ce51-4036-9562-d2ade882db0d"},"signature":"` + a3[2] + `"}`},
		{"RFC 7515 appendix F, a detached payload", a2[0] + ".." + a2[2]},
		{"RFC 7515 appendix E, critical and unknown",
			"eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFtcGxlLmNvbS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA."},
	} {
		for _, key := range []string{rfc7515A1Key, rfc7515A2Key, rfc7515A3Key} {
			if _, err := jwt.VerifyBare(keySetOf(t, key), c.token); err == nil {
				t.Errorf("%s: accepted", c.sentence)
			}
			verifier,
				err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{Checks: jwt.TokenChecks{
				AllowNoIssuer: true, AllowNoAudience: true, AllowNoExpiry: true, Types: []string{"", "JWT"}},
				Keys: keySetOf(t, key), User: jwt.SubjectUser}}})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := verifier.VerifyToken(t.Context(), c.token); auth.KindOf(err) != auth.ErrUnrecognized {
				t.Errorf("%s: %v", c.sentence, err)
			}
		}
	}
}

// rfcSecret is that of RFC 7515 A.1.
func rfcSecret(t testing.TB) []byte {
	t.Helper()
	secret, err := base64.RawURLEncoding.DecodeString(
		"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// RFC 7515 §2: base64url has no line breaks, which package base64 skips.
func TestAJWKHasNoLineBreaksInItsValues(t *testing.T) {
	for _, text := range []string{rfc8037Key, rfc7515A1Key, rfc7515A3Key} {
		for _, c := range []string{`\n`, `\r`, "=", " "} {
			broken := text[:len(text)-10] + c + text[len(text)-10:]
			if key, err := jwt.ParseJWK([]byte(broken)); err == nil {
				t.Errorf("%s: %v", broken, key)
			}
		}
	}
}
