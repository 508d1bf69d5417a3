package jwt_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatewarden/auth/jwt"
)

var allAlgorithms = []jwt.Algorithm{jwt.HS256, jwt.HS384, jwt.HS512, jwt.RS256, jwt.RS384, jwt.RS512, jwt.PS256,
	jwt.PS384, jwt.PS512,
	jwt.ES256, jwt.ES384, jwt.ES512, jwt.EdDSA}

// rawKeys are keys of package crypto, made once.
var rawKeys = sync.OnceValue(func() (all struct {
	rsa2048, rsa1024, rsa2040, threePrimes *rsa.PrivateKey
	p224, p256, p384, p521                 *ecdsa.PrivateKey
	ed                                     ed25519.PrivateKey
	x25519                                 *ecdh.PrivateKey
}) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var err error
	for bits, key := range map[int]**rsa.PrivateKey{2048: &all.rsa2048, 1024: &all.rsa1024, 2040: &all.rsa2040} {
		*key, err = rsa.GenerateKey(rand.Reader, bits)
		must(err)
	}
	//lint:ignore SA1019 others made such keys
	all.threePrimes, err = rsa.GenerateMultiPrimeKey(rand.Reader, 3, 2048)
	must(err)
	for curve, key := range map[elliptic.Curve]**ecdsa.PrivateKey{elliptic.P224(): &all.p224,
		elliptic.P256(): &all.p256, elliptic.P384(): &all.p384, elliptic.P521(): &all.p521} {
		*key, err = ecdsa.GenerateKey(curve, rand.Reader)
		must(err)
	}
	_, all.ed, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	all.x25519, err = ecdh.X25519().GenerateKey(rand.Reader)
	must(err)
	return all
})

// bareToken is a token of a key, without the name of the key.
func bareToken(t testing.TB, key *jwt.Key) string {
	t.Helper()
	token, err := jwt.Sign(key.WithID(""), "", map[string]any{"sub": "alice"})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// verifies reports whether a key verifies a token.
func verifies(t testing.TB, key *jwt.Key, token string) bool {
	t.Helper()
	_, err := jwt.VerifyBare(keySetOnly(t, key), token)
	return err == nil
}

func keySetOnly(t testing.TB, keys ...*jwt.Key) *jwt.KeySet {
	t.Helper()
	set, err := jwt.NewKeySet(nil, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestWeakKeysAreRefused(t *testing.T) {
	k := rawKeys()
	even := rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537}
	huge := rsa.PublicKey{N: new(big.Int).SetBit(new(big.Int).Lsh(big.NewInt(1), 8192), 0, 1), E: 65537}
	for sentence, row := range map[string]struct {
		algorithm jwt.Algorithm
		material  any
		good      bool
	}{
		"31 bytes for HS256":         {jwt.HS256, make([]byte, 31), false},
		"32 bytes for HS256":         {jwt.HS256, make([]byte, 32), true},
		"47 bytes for HS384":         {jwt.HS384, make([]byte, 47), false},
		"48 bytes for HS384":         {jwt.HS384, make([]byte, 48), true},
		"63 bytes for HS512":         {jwt.HS512, make([]byte, 63), false},
		"64 bytes for HS512":         {jwt.HS512, make([]byte, 64), true},
		"an empty secret":            {jwt.HS256, []byte{}, false},
		"RSA of 1024 bits":           {jwt.RS256, k.rsa1024, false},
		"RSA of 1024 bits, public":   {jwt.RS256, &k.rsa1024.PublicKey, false},
		"RSA of 2040 bits, public":   {jwt.PS256, &k.rsa2040.PublicKey, false},
		"RSA of 2048 bits, public":   {jwt.PS256, &k.rsa2048.PublicKey, true},
		"RSA of 8193 bits":           {jwt.RS256, &huge, false},
		"RSA with an even modulus":   {jwt.RS256, &even, false},
		"RSA with the exponent 1":    {jwt.RS256, &rsa.PublicKey{N: k.rsa2048.N, E: 1}, false},
		"RSA with an even exponent":  {jwt.RS256, &rsa.PublicKey{N: k.rsa2048.N, E: 65536}, false},
		"RSA with the exponent 3":    {jwt.RS256, &rsa.PublicKey{N: k.rsa2048.N, E: 3}, true},
		"RSA with the exponent -1":   {jwt.RS256, &rsa.PublicKey{N: k.rsa2048.N, E: -1}, false},
		"RSA with a minus":           {jwt.RS256, &rsa.PublicKey{N: new(big.Int).Neg(k.rsa2048.N), E: 65537}, false},
		"P-224":                      {jwt.ES256, k.p224, false},
		"P-224 without an algorithm": {"", &k.p224.PublicKey, false},
	} {
		if _, err := jwt.NewKey(row.algorithm, row.material); (err == nil) != row.good {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

func TestBrokenKeysAreRefused(t *testing.T) {
	k := rawKeys()
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	off := k.p256.PublicKey
	off.Y = new(big.Int).Add(off.Y, big.NewInt(1))
	foreign := append(slices.Clone(k.ed[:32]), make([]byte, 32)...)
	wrongD := *k.rsa2048
	wrongD.D = new(big.Int).Add(wrongD.D, big.NewInt(2))
	noPrimes := rsa.PrivateKey{PublicKey: k.rsa2048.PublicKey, D: k.rsa2048.D}
	for sentence, material := range map[string]any{
		"nothing":                    nil,
		"a text":                     "secret",
		"a key that is no pointer":   k.rsa2048.PublicKey,
		"X25519":                     k.x25519,
		"a nil *rsa.PrivateKey":      (*rsa.PrivateKey)(nil),
		"a nil *rsa.PublicKey":       (*rsa.PublicKey)(nil),
		"a nil *ecdsa.PrivateKey":    (*ecdsa.PrivateKey)(nil),
		"a nil *ecdsa.PublicKey":     (*ecdsa.PublicKey)(nil),
		"a nil ed25519.PrivateKey":   ed25519.PrivateKey(nil),
		"a nil ed25519.PublicKey":    ed25519.PublicKey(nil),
		"an empty *rsa.PrivateKey":   &rsa.PrivateKey{},
		"an empty *rsa.PublicKey":    &rsa.PublicKey{},
		"an empty *ecdsa.PrivateKey": &ecdsa.PrivateKey{},
		"an empty *ecdsa.PublicKey":  &ecdsa.PublicKey{},
		"ECDSA without a point":      &ecdsa.PublicKey{Curve: elliptic.P256()},
		"ECDSA without d":            &ecdsa.PrivateKey{PublicKey: k.p256.PublicKey},
		"ECDSA with d = 0":           &ecdsa.PrivateKey{PublicKey: k.p256.PublicKey, D: new(big.Int)},
		"ECDSA with d = -1":          &ecdsa.PrivateKey{PublicKey: k.p256.PublicKey, D: big.NewInt(-1)},
		"ECDSA with d of the order": &ecdsa.PrivateKey{PublicKey: k.p256.PublicKey,
			D: elliptic.P256().Params().N},
		"ECDSA with a very long d": &ecdsa.PrivateKey{PublicKey: k.p256.PublicKey,
			D: new(big.Int).Lsh(big.NewInt(1), 4000)},
		"ECDSA with the d of another":    &ecdsa.PrivateKey{PublicKey: k.p256.PublicKey, D: other.D},
		"a point off its curve":          &off,
		"a point off its curve, private": &ecdsa.PrivateKey{PublicKey: off, D: k.p256.D},
		"a point of another curve":       &ecdsa.PublicKey{Curve: elliptic.P256(), X: k.p384.X, Y: k.p384.Y},
		"a point with a minus": &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).Neg(k.p256.X),
			Y: k.p256.Y},
		"Ed25519 with the half of another": ed25519.PrivateKey(foreign),
		"Ed25519, cut off":                 k.ed[:63],
		"Ed25519, public and cut off":      ed25519.PublicKey(k.ed[32:63]),
		"RSA with another d":               &wrongD,
		"RSA without primes":               &noPrimes,
	} {
		if key, err := jwt.NewKey("", material); err == nil {
			t.Errorf("%s is %v", sentence, key)
		}
	}
}

func TestAKeyHasAnAlgorithmThatIsForIt(t *testing.T) {
	k := rawKeys()
	for _, row := range []struct {
		material any
		fallback jwt.Algorithm
		others   []jwt.Algorithm
	}{
		{make([]byte, 64), "", []jwt.Algorithm{jwt.HS256, jwt.HS384, jwt.HS512}},
		{k.rsa2048, jwt.RS256, []jwt.Algorithm{jwt.RS256, jwt.RS384, jwt.RS512, jwt.PS256, jwt.PS384, jwt.PS512}},
		{&k.rsa2048.PublicKey, jwt.RS256, []jwt.Algorithm{jwt.RS256, jwt.RS384, jwt.RS512, jwt.PS256, jwt.PS384,
			jwt.PS512}},
		{k.p256, jwt.ES256, []jwt.Algorithm{jwt.ES256}},
		{&k.p384.PublicKey, jwt.ES384, []jwt.Algorithm{jwt.ES384}},
		{k.p521, jwt.ES512, []jwt.Algorithm{jwt.ES512}},
		{k.ed, jwt.EdDSA, []jwt.Algorithm{jwt.EdDSA}},
		{k.ed.Public(), jwt.EdDSA, []jwt.Algorithm{jwt.EdDSA}},
	} {
		for _, algorithm := range append(slices.Clone(allAlgorithms), "none", "None", "es256", "HS1", "ES256K", "") {
			want := algorithm
			good := slices.Contains(row.others, algorithm)
			if algorithm == "" {
				want, good = row.fallback, row.fallback != ""
			}
			key, err := jwt.NewKey(algorithm, row.material)
			if (err == nil) != good || err == nil && key.Algorithm() != want {
				t.Errorf("%T as %q: %v, %v", row.material, algorithm, key, err)
			}
		}
	}
	for _, algorithm := range []jwt.Algorithm{"", "none", "hs256"} {
		if _, err := jwt.GenerateKey(algorithm); err == nil {
			t.Errorf("a key for %q is made", algorithm)
		}
	}
}

func TestAKeyVerifiesWhatItSignsAndNoOther(t *testing.T) {
	for _, algorithm := range allAlgorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			key, other := signing(t, algorithm), signing(t, algorithm)
			if key.ID() != key.Thumbprint() || len(key.ID()) != 43 || key.ID() == other.ID() ||
				key.Algorithm() != algorithm || !key.CanSign() {
				t.Error(key)
			}
			token := bareToken(t, key)
			if !verifies(t, key, token) || verifies(t, other, token) {
				t.Error("its own token, or another's")
			}
			public := key.Public()
			if symmetric := strings.HasPrefix(string(algorithm), "HS"); symmetric {
				if public != nil {
					t.Error("a secret has a public part")
				}
				return
			}
			if public.CanSign() || public.ID() != key.ID() || public.Thumbprint() != key.Thumbprint() ||
				!verifies(t, public, token) {
				t.Error(public)
			}
			if _, err := jwt.Sign(public, "", nil); err == nil {
				t.Error("a public key signs")
			}
			if _, err := public.MarshalJWK(true); err == nil {
				t.Error("a public key has a private part")
			}
			if _, err := jwt.NewKeySet(public); err == nil {
				t.Error("a set whose signing key cannot sign")
			}
		})
	}
}

func TestARenamedKeyIsTheSameKey(t *testing.T) {
	key := signing(t, jwt.ES256)
	renamed := key.WithID("2026")
	if renamed.ID() != "2026" || key.ID() != key.Thumbprint() || renamed.Thumbprint() != key.Thumbprint() ||
		!verifies(t, key, bareToken(t, renamed)) {
		t.Error(key, renamed)
	}
	for sentence, others := range map[string][]*jwt.Key{
		"one identifier twice":  {renamed, signing(t, jwt.EdDSA).WithID("2026")},
		"the same key twice":    {key, key.Public()},
		"nil":                   {key, nil},
		"no key":                {},
		"the signing one twice": {renamed},
	} {
		var first *jwt.Key
		if sentence == "the signing one twice" {
			first = renamed
		}
		if _, err := jwt.NewKeySet(first, others...); err == nil {
			t.Error(sentence)
		}
	}
}

// What is done with a key's material later is its owner's business.
func TestAKeyIsACopy(t *testing.T) {
	secret := bytes.Repeat([]byte{1}, 32)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	edPublic := slices.Clone(edKey.Public().(ed25519.PublicKey))
	for _, row := range []struct {
		material any
		spoil    func()
	}{
		{secret, func() { clear(secret) }},
		{&rsaKey.PublicKey, func() {}},
		{rsaKey, func() {
			rsaKey.N.SetInt64(15)
			rsaKey.D.SetInt64(3)
			rsaKey.Primes[0].SetInt64(3)
			rsaKey.Precomputed.Dp.SetInt64(3)
		}},
		{ecKey, func() { ecKey.X.SetInt64(1); ecKey.D.SetInt64(1) }},
		{edKey, func() { clear(edKey) }},
		{edPublic, func() { clear(edPublic) }},
	} {
		algorithm := jwt.Algorithm("")
		if _, ok := row.material.([]byte); ok {
			algorithm = jwt.HS256
		}
		key, err := jwt.NewKey(algorithm, row.material)
		if err != nil {
			t.Fatal(err)
		}
		before, _ := key.MarshalJWK(key.CanSign())
		row.spoil()
		after, _ := key.MarshalJWK(key.CanSign())
		if !bytes.Equal(before, after) || key.Thumbprint() != key.ID() || key.CanSign() &&
			!verifies(t, key, bareToken(t, key)) {
			t.Errorf("the key changed with its %T", row.material)
		}
	}
}

func TestAnRSAKeyOfThreePrimesSigns(t *testing.T) {
	key, err := jwt.NewKey("", rawKeys().threePrimes)
	if err != nil || !verifies(t, key, bareToken(t, key)) {
		t.Fatal(err)
	}
	if _, err := key.MarshalJWK(true); err == nil {
		t.Error("its JWK would lack a prime")
	}
	if _, err := key.MarshalJWK(false); err != nil {
		t.Error(err)
	}
}

// owners have keys where package fmt calls no method to print them.
type (
	owner struct {
		name string
		key  *jwt.Key
	}
	copied struct{ key jwt.Key }
	listed struct {
		keys []*jwt.Key
		byID map[string]*jwt.Key
		set  *jwt.KeySet
		any  any
	}
)

func TestAPrintedKeyShowsNoMaterial(t *testing.T) {
	secret := []byte("0123456789abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	k := rawKeys()
	material := map[jwt.Algorithm]any{jwt.HS512: secret, jwt.RS256: k.rsa2048, jwt.ES256: k.p256, jwt.EdDSA: k.ed}
	for algorithm, from := range material {
		key, err := jwt.NewKey(algorithm, from)
		if err != nil {
			t.Fatal(err)
		}
		private, err := key.MarshalJWK(true)
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]string
		if err := json.Unmarshal(private, &members); err != nil {
			t.Fatal(err)
		}
		set := keySet(t, key)
		var logged bytes.Buffer
		for _, handler := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
			slog.New(handler).Info("key", "key", key, "copy", *key, "set", set, "nil", (*jwt.Key)(nil))
		}
		if strings.Count(logged.String(), string(algorithm)+" key "+key.ID()) != 4 {
			t.Errorf("logged as %s", &logged)
		}
		texts := []string{logged.String()}
		for _, value := range []any{key, *key, set, owner{"alice", key}, &owner{"alice", key}, copied{*key},
			&copied{*key},
			listed{[]*jwt.Key{key}, map[string]*jwt.Key{"a": key}, set, *key}, []any{key, *key},
			map[string]any{"key": *key}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%t", "%p",
				"%c", "%U"} {
				texts = append(texts, fmt.Sprintf(verb, value))
			}
			if text, err := json.Marshal(value); err == nil {
				texts = append(texts, string(text))
			}
		}
		for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if members[name] == "" {
				continue
			}
			raw, err := base64.RawURLEncoding.DecodeString(members[name])
			if err != nil {
				t.Fatal(err)
			}
			number := new(big.Int).SetBytes(raw)
			start := raw[:8]
			for _, text := range texts {
				for _, shown := range []string{members[name][:10], string(start), hex.EncodeToString(start),
					strings.ToUpper(hex.EncodeToString(start)),
					number.String()[:15], number.Text(8)[:20], number.Text(2)[:40], strings.Trim(fmt.Sprint(start),
						"[]"), strings.Trim(fmt.Sprintf("%o", start), "[]"),
					strings.Trim(fmt.Sprintf("%#v", start), "[]byte{}"), strings.Trim(fmt.Sprintf("%U", start), "[]"),
					strings.Trim(fmt.Sprintf("%b", start), "[]")} {
					if strings.Contains(text, shown) {
						t.Errorf("%s shows %s as %s", text, name, shown)
					}
				}
			}
		}
		if got := fmt.Sprint(key); got != string(algorithm)+" key "+key.ID() {
			t.Error(got)
		}
	}
	if got := fmt.Sprintf("%v %s", (*jwt.Key)(nil), (*jwt.Key)(nil)); got != "<nil> <nil>" {
		t.Error(got)
	}
	for _, bad := range []any{secret[:31], &rsa.PrivateKey{PublicKey: k.rsa2048.PublicKey, D: k.rsa1024.D,
		Primes: k.rsa2048.Primes},
		&ecdsa.PrivateKey{PublicKey: k.p256.PublicKey, D: k.p384.D}, k.ed[:40]} {
		if _, err := jwt.NewKey(jwt.HS256, bad); err == nil || len(err.Error()) > 150 ||
			strings.Contains(err.Error(), string(secret[:8])) {
			t.Errorf("%T: %v", bad, err)
		}
	}
}

func TestAKeyIsUsedByManyAtOnce(t *testing.T) {
	raw := rawKeys().rsa2048
	bare := &rsa.PrivateKey{PublicKey: raw.PublicKey, D: raw.D, Primes: raw.Primes} // not precomputed
	key, err := jwt.NewKey(jwt.PS256, bare)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := key.MarshalJWK(true); err != nil || !verifies(t, key.Public(), bareToken(t, key)) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if bare.Precomputed.Dp != nil {
		t.Error("the key that was given was changed")
	}
}
