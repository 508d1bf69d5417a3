package server

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gatewarden/auth"
)

// clientSecrets are the methods client_secret_basic and client_secret_post (RFC 6749 §2.3.1).
type clientSecrets struct{}

func (clientSecrets) register(r *registry) {
	r.addClientAuthentication(clientAuthentication{
		method: AuthClientSecretBasic, scheme: "Basic", secret: true, read: readBasic, check: checkSecret})
	r.addClientAuthentication(clientAuthentication{
		method: AuthClientSecretPost, secret: true, read: readSecret, check: checkSecret})
	r.addAudit(auditSecrets)
}

// readBasic reads a secret from the header. It may be empty, because some libraries send the
// client_id of a public client in this way.
func readBasic(r *http.Request, form Form) (*clientCredentials, error) {
	scheme, value, err := auth.Authorization(r)
	if err != nil || !strings.EqualFold(scheme, "Basic") {
		return nil, nil // checkAuthorizationHeader has seen the error
	}
	id, secret, ok := parseBasic(value)
	if !ok {
		return nil, errClient(errBasic)
	}
	if named := form.Get("client_id"); named != "" && named != id {
		return nil, refuse(CodeInvalidRequest, "The client_id is not that of the Authorization header.",
			failedValue("the client_id is not that of the Authorization header", named, id))
	}
	return &clientCredentials{clientID: id, secret: secret}, nil
}

// readSecret reads a secret from the body.
func readSecret(_ *http.Request, form Form) (*clientCredentials, error) {
	secret := form.Get("client_secret")
	if secret == "" {
		return nil, nil
	}
	return &clientCredentials{clientID: form.Get("client_id"), secret: secret}, nil
}

// checkSecret compares the secret.
func checkSecret(_ context.Context, client *Client, c *clientCredentials) (cause, err error) {
	switch {
	case client.SecretDigest == "": // what is hashed is not checked here, but by checkHashed
		return errNoSecretKept, nil
	case !client.CheckSecret(c.secret):
		return errWrongSecret, nil
	}
	return nil, nil
}

// parseBasic reads a client's identifier and secret, each of which is encoded as
// in a form before they are joined (RFC 6749 §2.3.1).
func parseBasic(value string) (id, secret string, ok bool) {
	decoded, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return "", "", false
	}
	id, secret, ok = strings.Cut(string(decoded), ":")
	if !ok {
		return "", "", false
	}
	if id, err = url.QueryUnescape(id); err != nil {
		return "", "", false
	}
	if secret, err = url.QueryUnescape(secret); err != nil {
		return "", "", false
	}
	return id, secret, isText(id) && isText(secret)
}

// minSecret is the shortest secret that an operator may choose, in bytes: of random ones it has 128 bits.
const minSecret = 16

// setSecret gives a new client the secret of its registration, or the hash of one. Without both, the
// secret is random.
func (s *Server) setSecret(c *Client, r Registration) (secret auth.Secret, err error) {
	secret = r.ClientSecret
	hash := r.ClientSecretHash.Reveal()
	switch size := len(secret.Reveal()); {
	case size > 0 && hash != "":
		return "", metadataError("There is a client_secret and a client_secret_hash.",
			failedCheck("the registration has a client_secret and a client_secret_hash"))
	case c.Public() && (size > 0 || hash != ""):
		return "", metadataError("A public client has no secret.", errPublicSecret)
	case c.Public():
		return "", nil
	case hash != "":
		return "", s.setHash(c, hash)
	case looksHashed(secret.Reveal()):
		return "", metadataError("The client_secret is a hash. Send it as client_secret_hash.",
			failedSetting("Registration.ClientSecretHash", "the client_secret has the form of a hash of Django, so no "+
				"client could send the secret: call the member client_secret_hash", ""))
	case size == 0:
		secret, c.SecretDigest = NewSecret()
		return secret, nil
	case size < minSecret && !c.AllowShortSecret:
		return "", metadataError("The client_secret is shorter than 16 bytes. Leave it out to get a random one, or "+
			"set allow_short_secret.", failedSetting("Client.AllowShortSecret",
			"the client_secret can be guessed (RFC 6749 §10.10): it has fewer bytes than 16", strconv.Itoa(size)))
	}
	c.SecretDigest = DigestSecret(secret)
	return secret, nil
}

// auditSecrets lists what a shared secret loses.
func auditSecrets(a *auditor) {
	if a.config.Clients.AllowGuessing {
		a.add("RFC 6749 §2.3.1", "Clients.AllowGuessing", "client secrets can be tried as fast as the network allows")
	}
	for _, c := range a.clients {
		if c.Public() {
			continue
		}
		if c.hashed() {
			a.add("RFC 6749 §2.3.1", "client "+c.ID+" SecretHash",
				"each secret that anybody sends costs a slow hash, until the client has sent the right one")
		}
		if c.AllowShortSecret {
			a.add("RFC 6749 §10.10", "client "+c.ID+" AllowShortSecret", "its secret may be found by trying")
		}
		if c.AuthMethod == AuthClientSecretPost {
			a.add("RFC 6749 §2.3.1", "client "+c.ID+" AuthMethod",
				"a secret in the body is more easily logged than one in a header")
		}
		if c.AuthMethod == "" || c.AuthMethod == AuthClientSecretBasic || c.AuthMethod == AuthClientSecretPost {
			a.add("RFC 9700 §2.5", "client "+c.ID+" AuthMethod",
				"a secret is shared; a key pair or a certificate would not be")
		}
	}
}
