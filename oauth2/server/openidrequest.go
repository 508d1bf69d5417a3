package server

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// readOpenID reads the parameters of OpenID Connect Core §3.1.2.1.
func (s *Server) readOpenID(ctx context.Context, form Form, a *authorization) error {
	a.Nonce, a.LoginHint, a.ACR = form.Get("nonce"), form.Get("login_hint"), strings.Fields(form.Get("acr_values"))
	for _, name := range []string{"nonce", "login_hint", "acr_values", "state"} {
		limit := maxURI
		if name == "state" {
			limit = 4 * maxURI
		}
		if len(form.Get(name)) > limit {
			return refuse(CodeInvalidRequest, "A parameter is too long.", wrong("a parameter is too long", name))
		}
	}
	if err := a.readPrompt(form); err != nil {
		return err
	}
	if hint := form.Get("id_token_hint"); hint != "" && s.OpenID() {
		claims, err := s.openIDToken(ctx, hint)
		if err == nil && !slices.Contains(claims.Audience, a.ClientID) {
			err = &badHint{wrong("its aud is not the client", claims.Audience[0], a.ClientID)}
		}
		if bad := (*badHint)(nil); errors.As(err, &bad) {
			return refuse(CodeInvalidRequest, "The id_token_hint is no ID token of this server for the client.", bad)
		}
		if err != nil {
			return err
		}
		a.Subject = claims.Subject
	}
	return nil
}

// prompts are the values of prompt that are known (OpenID Connect Core §3.1.2.1).
var prompts = []string{"none", "login", "consent", "select_account"}

// readPrompt reads how the user is to be asked.
func (a *authorization) readPrompt(form Form) error {
	a.Prompt = strings.Fields(form.Get("prompt"))
	for _, prompt := range a.Prompt {
		if !slices.Contains(prompts, prompt) {
			return refuse(CodeInvalidRequest, "The prompt is unknown.",
				wrong("the prompt is unknown", prompt, prompts...))
		}
	}
	if a.prompts("none") && len(a.Prompt) > 1 {
		return refuse(CodeInvalidRequest, "The prompt none goes with no other.",
			wrong("the prompt none goes with no other", form.Get("prompt")))
	}
	if text := form.Get("max_age"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return refuse(CodeInvalidRequest, "The max_age is no number of seconds.",
				wrong("the max_age is no number of seconds", text))
		}
		a.MaxAge = time.Duration(seconds) * time.Second
	}
	return nil
}
