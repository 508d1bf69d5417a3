package jwt_test

import (
	"testing"

	"github.com/gatewarden/auth/jwt"
)

func TestUnitAServiceAccountOfGoogleIsNoUser(t *testing.T) {
	const email = `"email":"sa@p.iam.gserviceaccount.com","email_verified":true`
	machine := func(client, email string) jwt.Rights {
		return jwt.Rights{Limited: true, ClientID: client, Machine: "1077", Email: email}
	}
	const address, person = "sa@p.iam.gserviceaccount.com", "12-x.apps.googleusercontent.com"
	checkRights(t, []readRights{
		{"azp is the subject", jwt.Google(), `{"sub":"1077","azp":"1077"}`, machine("1077", ""), ""},
		{"azp is the address", jwt.Google(), `{"sub":"1077","azp":"` + address + `",` + email + `}`,
			machine(address, address), ""},
		{"azp is an address of a service account, without email", jwt.Google(),
			`{"sub":"1077","azp":"` + address + `"}`, machine(address, ""), ""},
		{"the address is of a service account, without azp", jwt.Google(), `{"sub":"1077",` + email + `}`,
			machine("", address), ""},
		{"also behind the client of an application", jwt.Google(), `{"sub":"1077","azp":"` + person + `",` +
			email + `}`,
			machine(person, address), ""},
		{"azp is an address as email has it", jwt.Google(), `{"sub":"1077","azp":"a@b.example","email":"a@b.example"}`,
			machine("a@b.example", ""), ""},
		{"no azp may be either", jwt.Google(), `{"sub":"1077","email":"alice@acme.example","email_verified":true}`,
			jwt.Rights{}, "azp"},
		{"azp of another kind may be either", jwt.Google(), `{"sub":"1077","azp":"1078"}`, jwt.Rights{}, "azp"},
		{"a machine without a subject", jwt.Google(), `{` + email + `}`, jwt.Rights{}, "sub"},
		{"a person's", jwt.Google(), `{"sub":"1","azp":"` + person + `"}`,
			jwt.Rights{Limited: true, ClientID: person}, ""},
	})
}

func TestUnitASignThatTurnsAround(t *testing.T) {
	profile := jwt.Profile{Machines: []jwt.Mark{{Claim: "kind", Values: []string{"user"}, Not: true}}}
	machine := jwt.Rights{Machine: "a", Limited: true}
	checkRights(t, []readRights{
		{"another value", profile, `{"sub":"a","kind":"app"}`, machine, ""},
		{"another type", profile, `{"sub":"a","kind":{}}`, machine, ""},
		{"another case", profile, `{"sub":"a","kind":"User"}`, machine, ""},
		{"the value", profile, `{"sub":"a","kind":"user"}`, jwt.Rights{}, ""},
		{"no value", profile, `{"sub":"a","kind":null}`, jwt.Rights{}, ""},
	})
	for sentence, mark := range map[string]jwt.Mark{
		"Not with Of":       {Claim: "sub", Of: []string{"azp"}, Not: true},
		"Not without Claim": {With: []string{"azp"}, Not: true},
	} {
		if _, err := (jwt.Profile{Machines: []jwt.Mark{mark}}).Reader(); err == nil {
			t.Errorf("%s: want an error", sentence)
		}
	}
}

// A repository chooses how its subjects are written, and two may choose the same.
func TestUnitTwoRepositoriesAreTwoMachines(t *testing.T) {
	bySubject := jwt.GitHubActions()
	bySubject.MachineClaim = "sub"
	const subject = `"sub":"environment:production"`
	checkRights(t, []readRights{
		{"one", jwt.GitHubActions(), `{` + subject + `,"repository_id":"10"}`,
			jwt.Rights{Limited: true, Machine: "10"}, ""},
		{"another", jwt.GitHubActions(), `{` + subject + `,"repository_id":"20"}`,
			jwt.Rights{Limited: true, Machine: "20"}, ""},
		{"without a repository", jwt.GitHubActions(), `{` + subject + `}`, jwt.Rights{}, "repository_id"},
		{"by subject, which a setting allows", bySubject, `{` + subject + `}`,
			jwt.Rights{Limited: true, Machine: "environment:production"}, ""},
	})
}

// A client that cannot be read could be the subject, and the token a machine's (RFC 9068 §2.2, §5).
func TestUnitAClientThatCannotBeReadIsRefused(t *testing.T) {
	clientID := jwt.Profile{ClientClaims: []string{"clientId"}}
	var rows []readRights
	for _, value := range []string{"5.0", `["svc"]`, `{"id":"svc"}`, "true", "[]", `"a\u0000"`, "1e3"} {
		for _, one := range []struct {
			name, claim string
			profile     jwt.Profile
		}{
			{"any issuer", "client_id", jwt.Profile{}}, {"any issuer", "cid", jwt.Profile{}},
			{"another client claim", "clientId", clientID}, {"Auth0", "azp", jwt.Auth0()},
			{"Okta", "cid", jwt.Okta()}, {"Hydra", "client_id", jwt.Hydra()}, {"ours", "client_id", jwt.Gatewarden()},
			{"any issuer", "sub", jwt.Profile{}}, {"Google", "azp", jwt.Google()},
		} {
			claims := `{"sub":"svc","uid":"u","azp":"web","` + one.claim + `":` + value + `}`
			switch one.claim {
			case "sub":
				claims = `{"sub":` + value + `}`
			case "azp":
				claims = `{"sub":"svc","azp":` + value + `}`
			case "client_id":
				claims = `{"sub":"svc","client_id":` + value + `}`
			}
			rows = append(rows, readRights{one.name + ": " + one.claim + " is " + value, one.profile, claims,
				jwt.Rights{}, one.claim})
		}
	}
	checkRights(t, rows)
}

func TestUnitAUserOfKeycloakWithTheNameOfAServiceAccountIsRefused(t *testing.T) {
	const name = `"typ":"Bearer","sub":"1","azp":"web","preferred_username":"service-account-web"`
	machine := jwt.Rights{Limited: true, ClientID: "web", Machine: "web"}
	checkRights(t, []readRights{
		{"without a session", jwt.Keycloak(), `{` + name + `}`, jwt.Rights{}, "may be a machine's"},
		{"with a clientId of another", jwt.Keycloak(), `{"typ":"Bearer","sub":"1","azp":"web","clientId":"a",` +
			`"clientHost":"h","preferred_username":"service-account-a"}`, jwt.Rights{}, "may be a machine's"},
		{"client_id and no session is a machine", jwt.Keycloak(), `{` + name + `,"client_id":"web"}`, machine, ""},
		{"an address is a machine", jwt.Keycloak(), `{` + name + `,"clientHost":"h","sid":"s"}`, machine, ""},
	})
}

// Auth0 and Keycloak can be set up to write tokens that follow RFC 9068, so no type tells that their preset is missing.
func TestUnitAMachineOfAProviderIsNoUserWithoutItsPreset(t *testing.T) {
	user := jwt.Rights{Limited: true, ClientID: "web"}
	cognito := jwt.Cognito()
	checkRights(t, []readRights{
		{"Auth0", jwt.Profile{}, `{"sub":"web@clients","client_id":"web"}`, jwt.Rights{}, "sub"},
		{"Auth0, by gty", jwt.Profile{}, `{"sub":"a","azp":"web","gty":"client-credentials"}`, jwt.Rights{}, "gty"},
		{"FusionAuth", jwt.Profile{}, `{"sub":"a","gty":["client_credentials","refresh_token"]}`, jwt.Rights{}, "gty"},
		{"Entra", jwt.Profile{}, `{"sub":"a","azp":"web","idtyp":"app"}`, jwt.Rights{}, "idtyp"},
		{"Keycloak", jwt.Profile{}, `{"sub":"0a1b","client_id":"web","preferred_username":"service-account-web"}`,
			jwt.Rights{}, "preferred_username"},
		{"a profile that says nothing about machines", jwt.Profile{ScopeClaims: []string{"scope"}},
			`{"sub":"web@clients","client_id":"web"}`, jwt.Rights{}, "sub"},
		{"another preset", cognito, `{"sub":"a","token_use":"access","client_id":"web","idtyp":"app"}`, jwt.Rights{},
			"idtyp"},
		{"a user of another client", jwt.Profile{}, `{"sub":"alice@clients","client_id":"web"}`, user, ""},
		{"a user by a code", jwt.Profile{}, `{"sub":"alice","client_id":"web","gty":"authorization_code"}`, user, ""},
		{"a user whose name starts so", jwt.Profile{},
			`{"sub":"alice","client_id":"web","preferred_username":"service-account-x"}`, user, ""},
		{"a profile that says which are machines", jwt.Profile{Machines: []jwt.Mark{}},
			`{"sub":"web@clients","client_id":"web"}`, user, ""},
		{"a profile that says which may be", jwt.Profile{Doubts: []jwt.Mark{}},
			`{"sub":"web@clients","client_id":"web"}`, user, ""},
		{"tokens of our own", jwt.Gatewarden(), `{"sub":"a","gty":"client-credentials"}`, jwt.Rights{}, ""},
	})
}
