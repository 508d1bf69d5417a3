package interop

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/gatewarden/auth/password"
)

// Both sides share a table of users: each reads what the other wrote, and leaves it as it is.
func TestPasswordsOfATableThatDjangoShares(t *testing.T) {
	const given = "correct hörse"
	formats := []password.Format{password.FormatDjangoPBKDF2, password.FormatDjangoArgon2}
	hashers := map[password.Format]*password.Hasher{}
	var ours []string
	for _, format := range formats {
		h, err := password.NewHasher(password.HasherConfig{Format: format})
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := h.Hash(t.Context(), given)
		if err != nil {
			t.Fatal(err)
		}
		hashers[format], ours = h, append(ours, encoded)
	}
	found := askDjango(t, given, ours)
	for i, said := range found.Checked {
		if !said.Right || said.Wrong || said.Anew {
			t.Errorf("Django says of our %s: %+v, want it right and left as it is", ours[i], said)
		}
	}
	for _, format := range formats {
		got, err := hashers[format].Verify(t.Context(), given, found.Made[string(format)])
		if err != nil || got != (password.Result{OK: true}) {
			t.Errorf("Django's %q: %+v, %v, want it right and left as it is", found.Made[string(format)], got, err)
		}
	}
}

// django is what django/passwords.py prints.
type django struct {
	Missing string
	Checked []struct{ Right, Wrong, Anew bool }
	Made    map[string]string
}

func askDjango(t *testing.T, given string, check []string) (found django) {
	t.Helper()
	question, err := json.Marshal(map[string]any{"password": given, "check": check})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), python(t), "django/passwords.py")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(question), &log
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &found)
	}
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, &log)
	}
	if found.Missing != "" {
		skip(t, "no "+found.Missing+": run make clients")
	}
	if len(found.Checked) != len(check) {
		t.Fatalf("%d answers, want %d", len(found.Checked), len(check))
	}
	return found
}
