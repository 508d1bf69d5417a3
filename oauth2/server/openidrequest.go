package server

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// loginParameters say how the user is to sign in (OpenID Connect Core §3.1.2.1). They are read
// also for clients that do not ask for "openid".
var loginParameters = requestParameters{
	names: []string{"nonce", "login_hint", "acr_values", "prompt", "max_age"}, read: readLogin}

func readLogin(_ context.Context, form Form, _ *Client, a *authorization) error {
	for _, name := range []string{"nonce", "login_hint", "acr_values"} {
		if len(form.Get(name)) > maxURI {
			return refuse(CodeInvalidRequest, "A parameter is too long.", failedValue("a parameter is too long", name))
		}
		if strings.ContainsFunc(form.Get(name), unicode.IsControl) {
			return refuse(CodeInvalidRequest, "A parameter has a control character.",
				failedValue("a parameter has a control character", name))
		}
	}
	a.Nonce, a.LoginHint, a.ACR = form.Get("nonce"), form.Get("login_hint"), strings.Fields(form.Get("acr_values"))
	return a.readPrompt(form)
}

// hintParameter says which user the client expects.
func (s *Server) hintParameter() requestParameters {
	return requestParameters{names: []string{"id_token_hint"},
		read: func(ctx context.Context, form Form, _ *Client, a *authorization) error {
			hint := form.Get("id_token_hint")
			if hint == "" {
				return nil
			}
			claims, err := s.openIDToken(ctx, hint)
			if err == nil && !slices.Contains(claims.Audience, a.ClientID) {
				err = &hintError{failedValue("its aud is not the client", claims.Audience[0], a.ClientID)}
			}
			if bad := (*hintError)(nil); errors.As(err, &bad) {
				return refuse(CodeInvalidRequest, "The id_token_hint is no ID token of this server for the client.",
					bad)
			}
			if err != nil {
				return err
			}
			a.Subject = claims.Subject
			return nil
		}}
}

// prompts are the values of prompt that are known (OpenID Connect Core §3.1.2.1).
var prompts = []string{"none", "login", "consent", "select_account"}

// readPrompt reads how the user is to be asked.
func (a *authorization) readPrompt(form Form) error {
	a.Prompt = strings.Fields(form.Get("prompt"))
	for _, prompt := range a.Prompt {
		if !slices.Contains(prompts, prompt) {
			return refuse(CodeInvalidRequest, "The prompt is unknown.",
				failedValue("the prompt is unknown", prompt, prompts...))
		}
	}
	if a.prompts("none") && len(a.Prompt) > 1 {
		return refuse(CodeInvalidRequest, "The prompt none goes with no other.",
			failedValue("the prompt none goes with no other", form.Get("prompt")))
	}
	if text := form.Get("max_age"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return refuse(CodeInvalidRequest, "The max_age is no number of seconds.",
				failedValue("the max_age is no number of seconds", text))
		}
		a.MaxAge = time.Duration(seconds) * time.Second
	}
	return nil
}
