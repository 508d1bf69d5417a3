package external

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gatewarden/auth/internal/seal"
)

// An answer that comes by POST (OAuth 2.0 Form Post Response Mode) is a request of the provider's page. A browser sends
// the cookies of SameSite=Lax with a request of another site only if it is a GET in the address bar, so this request
// does not tell which user is signed in. It is answered with a redirect to a GET of the same path, which has the answer
// in a sealed parameter and brings the cookies along.

const (
	// relayTTL is how long a browser may take from the POST to the GET.
	relayTTL = time.Minute
	// relayParameter has the sealed answer.
	relayParameter = "answer"
	// maxRelayed is the longest answer that is sealed, in bytes: servers and proxies refuse URLs of more than 8 KiB.
	maxRelayed = 5 << 10
	// maxSealedRelay is the longest sealed answer: base64 of the answer, with nonce and tag.
	maxSealedRelay = (maxRelayed + 28 + 2) / 3 * 4
)

// sealedIfLong are the parameters of a long answer that are sealed: those that a login cannot do without, and of the
// rest "user", in which Apple tells a name, if it is not what makes the answer long.
var sealedIfLong = [][]string{
	{"state", "code", "iss", "error", "error_description", "user"},
	{"state", "code", "iss", "error"},
}

// relayed is an answer that came by POST.
type relayed struct {
	Answer  url.Values `json:"a"`
	Expires int64      `json:"e"` // seconds since 1970
}

// The causes of refused answers by POST.
var (
	errRelayMissing = errors.New("the answer came by GET, and the provider is to answer by POST: see FormPost")
	errRelaySealed  = errors.New("the sealed answer of the provider cannot be opened: it was changed or cut, or " +
		"sealed by a key that is not among Config.Keys")
	errRelayLate = errors.New("the sealed answer of the provider has expired: more than a minute has passed since it " +
		"came by POST")
	errRelayLong = errors.New("the answer of the provider is longer than 5120 bytes")
)

// relay answers the POST of a provider. The attempt is not used up yet, so a form that is sent twice is no fault, and
// only one of the GETs that follow ends the attempt.
func (h *handler) relay(w http.ResponseWriter, r *http.Request, p *provider) (*attempt, *failure) {
	now := time.Now()
	form, err := formOf(r)
	if err != nil {
		return nil, &failure{Reason: reasonInvalid, cause: err}
	}
	a, f := h.attemptOf(r, p, form, now)
	if f != nil {
		return nil, f
	}
	sealed, err := h.sealCallback(p, form, now)
	if err != nil {
		return a, &failure{Reason: reasonInvalid, cause: err}
	}
	redirect(w, withQuery(h.config.Path+"/"+p.name+"/callback/", url.Values{relayParameter: {sealed}}))
	return a, nil
}

// relaySealContext returns the context of a sealed callback of p. Text that was sealed with another context cannot be
// opened. The state in it ties the callback to one attempt, and so to one browser.
func (l *Logins) relaySealContext(p *provider) string { return l.sealContext("answer of " + p.name) }

// sealCallback seals the parameters of a callback. If they are long, it seals those that are needed.
func (l *Logins) sealCallback(p *provider, form url.Values, now time.Time) (string, error) {
	kept := maps.Clone(form)
	for _, name := range secretParameters {
		delete(kept, name)
	}
	text := encodeRelayed(kept, now)
	for _, names := range sealedIfLong {
		if len(text) > maxRelayed {
			maps.DeleteFunc(kept, func(name string, _ []string) bool { return !slices.Contains(names, name) })
			text = encodeRelayed(kept, now)
		}
	}
	if len(text) > maxRelayed {
		return "", errRelayLong
	}
	return seal.Seal(l.seals, text, l.relaySealContext(p)), nil
}

func encodeRelayed(form url.Values, now time.Time) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // escaped, "<" takes six bytes
	_ = encoder.Encode(relayed{form, now.Add(relayTTL).Unix()})
	return text.Bytes()
}

// openCallback returns the parameters of a callback that a GET brings. Otherwise the failure says why.
func (l *Logins) openCallback(r *http.Request, p *provider, now time.Time) (url.Values, *failure) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	switch {
	case err != nil:
		return nil, &failure{Reason: reasonInvalid, cause: errQuery}
	case len(query[relayParameter]) == 0:
		return nil, &failure{Reason: reasonInvalid, cause: withProviderError(errRelayMissing, query)}
	case len(query[relayParameter]) > 1:
		return nil, &failure{Reason: reasonInvalid, cause: failedValue("a parameter is repeated", relayParameter)}
	}
	var answer relayed
	text, err := seal.OpenLong(l.seals, query.Get(relayParameter), l.relaySealContext(p), maxSealedRelay)
	switch {
	case err != nil || json.Unmarshal(text, &answer) != nil:
		return nil, &failure{Reason: reasonInvalid, cause: errRelaySealed}
	case !now.Before(time.Unix(answer.Expires, 0)):
		return nil, &failure{Reason: reasonExpired, cause: errRelayLate}
	}
	return answer.Answer, nil
}
