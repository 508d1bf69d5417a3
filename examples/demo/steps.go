package main

import "strings"

// step is something to try: what it shows, and the lines to paste.
type step struct {
	Title string
	Why   string
	// Script has a command a line. What stands behind an arrow is the answer, and no part of the command.
	Script string
	// OverHTTP is said if the demo is not served by TLS.
	OverHTTP string
}

// line is a command and the answer that it gets.
type line struct{ Text, Answer string }

// Lines are the commands.
func (s step) Lines() (lines []line) {
	for text := range strings.Lines(strings.TrimSpace(s.Script)) {
		command, answer, _ := strings.Cut(strings.TrimSpace(text), " → ")
		lines = append(lines, line{command, answer})
	}
	return lines
}

// steps can be done in this order as often as one likes.
var steps = []step{
	{Title: "Log in on two devices",
		Why: "Each login makes a token of its own. Basic, JSON and form all work.",
		Script: `
TOKEN='s/.*"token":"\([^"]*\)".*/\1/'
PHONE=$(curl -s -X POST -u alice:correct-horse-battery $URL/auth/login/ | sed "$TOKEN")
LAPTOP=$(curl -s $URL/auth/login/ -H 'Content-Type: application/json' -d '{"username":"alice","password":"correct-horse-battery","name":"laptop"}' | sed "$TOKEN")
echo $PHONE $LAPTOP → two tokens`},
	{Title: "Use them",
		Why: "The scheme may be Token or Bearer, in any case.",
		Script: `
curl -i -H "Authorization: Token $PHONE" $URL/api/me → 200
curl -i -H "Authorization: bearer $LAPTOP" $URL/api/me → 200`},
	{Title: "See your devices",
		Why: "The one you ask with is marked current.",
		Script: `
curl -i -H "Authorization: Token $LAPTOP" $URL/auth/tokens/ → 200`},
	{Title: "Log out of one",
		Why: "The other stays. Log out everywhere, and all are gone.",
		Script: `
curl -i -X POST -H "Authorization: Token $PHONE" $URL/auth/logout/ → 204
curl -i -H "Authorization: Token $PHONE" $URL/api/me → 401
curl -i -H "Authorization: Token $LAPTOP" $URL/api/me → 200, as it is another device
curl -i -X POST -H "Authorization: Token $LAPTOP" $URL/auth/logoutall/ → 204
curl -i -H "Authorization: Token $LAPTOP" $URL/api/me → 401`},
	{Title: "Make a token for a script",
		Why: "It may read reports, for an hour, and nothing else.",
		Script: `
SCRIPT=$(curl -s -u alice:correct-horse-battery $URL/auth/tokens/ -H 'Content-Type: application/json' -d '{"name":"script","scopes":["reports:read"],"expires_in":3600}' | sed "$TOKEN")
curl -i -H "Authorization: Bearer $SCRIPT" $URL/api/reports → 200
curl -i -X POST -H "Authorization: Bearer $SCRIPT" $URL/api/reports → 403`},
	{Title: "Switch a user off",
		Why: "A token dies with its user, at once. An inactive user cannot log in, and the answer does not tell why.",
		Script: `
BOB=$(curl -s -u bob:staple-tractor-lamp -X POST $URL/auth/login/ | sed "$TOKEN")
curl -i -X POST -u admin:only-for-the-demo $URL/api/users/bob/disable → 204
curl -i -H "Authorization: Token $BOB" $URL/api/me → 401
curl -i -X POST -u admin:only-for-the-demo $URL/api/users/bob/enable → 204
curl -i -X POST -u carol:closed-account-99 $URL/auth/login/ → 401`},
	{Title: "Sign in as a browser does",
		Why: "A cookie, not a token. A page of another site cannot use it, and it is worth nothing after signing out.",
		OverHTTP: "The cookie is Secure. Browsers and curl send it back over http too, since 127.0.0.1 is this " +
			"machine. " +
			"Python, Java, wget and HTTPie do not. Give the demo -tls-cert and -tls-key to use these.",
		Script: `
JAR=$(mktemp)
curl -i -c $JAR -d username=alice -d password=correct-horse-battery -d next=/devices $URL/session/login → 303 to /devices
curl -i -b $JAR $URL/api/me → 200
curl -i -b $JAR -H 'Sec-Fetch-Site: cross-site' -X POST $URL/api/reports → 403
curl -i -b $JAR -c $JAR -X POST $URL/session/logout → 303
curl -i -b $JAR $URL/api/me → 401`},
	{Title: "Take a pair of JWTs",
		Why: "A short access token that other services can check by the published keys, and " +
			"a refresh token for one use. Used twice, it ends the login.",
		Script: `
PAIR=$(curl -s $URL/api/token/ -H 'Content-Type: application/json' -d '{"username":"alice","password":"correct-horse-battery"}')
ACCESS=$(echo "$PAIR" | sed 's/.*"access":"\([^"]*\)".*/\1/')
REFRESH=$(echo "$PAIR" | sed 's/.*"refresh":"\([^"]*\)".*/\1/')
curl -i -H "Authorization: Bearer $ACCESS" $URL/api/me → 200
curl -i $URL/.well-known/jwks.json → 200
curl -i -d "refresh=$REFRESH" $URL/api/token/refresh/ → 200 and the next pair
curl -i -d "refresh=$REFRESH" $URL/api/token/refresh/ → 401, and the login has ended
curl -i -H "Authorization: Bearer $ACCESS" $URL/api/me → 401`},
	{Title: "Let an application in",
		Why: "OAuth 2 with PKCE: the application sends the browser here, the user agrees, and a code comes " +
			"back. To see the page, open what echo $AUTHORIZE prints in a browser.",
		Script: `
VERIFIER=$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')
CHALLENGE=$(printf %s $VERIFIER | openssl dgst -sha256 -binary | base64 | tr '+/' '-_' | tr -d '=\n')
AUTHORIZE="$URL/o/authorize/?response_type=code&client_id=demo-web&redirect_uri=http://127.0.0.1/callback&scope=openid+reports:read&state=xyz&prompt=consent&code_challenge=$CHALLENGE&code_challenge_method=S256"
curl -s -c $JAR -d username=alice -d password=correct-horse-battery $URL/session/login
CONSENT=$(curl -s -b $JAR "$AUTHORIZE" | sed -n 's/.*name="interaction" value="\([^"]*\)".*/\1/p')
CODE=$(curl -s -i -b $JAR -d interaction=$CONSENT -d allow=Allow $URL/o/authorize/ | sed -n 's/.*[?&]code=\([^&]*\)&.*/\1/p')
echo $CODE → a code`},
	{Title: "Redeem the code",
		Why: "Once. Used again, it ends what it gave.",
		Script: `
GRANT=$(curl -s -u demo-web:demo-web-secret -d grant_type=authorization_code -d redirect_uri=http://127.0.0.1/callback -d code_verifier=$VERIFIER -d code=$CODE $URL/o/token/)
echo "$GRANT" → an access, a refresh and an ID token
ACCESS=$(echo "$GRANT" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
REFRESH=$(echo "$GRANT" | sed 's/.*"refresh_token":"\([^"]*\)".*/\1/')
curl -i -H "Authorization: Bearer $ACCESS" $URL/api/me → 200
curl -i -H "Authorization: Bearer $ACCESS" -X POST $URL/api/reports → 403
curl -i -H "Authorization: Bearer $ACCESS" $URL/o/userinfo/ → 200
curl -i -u demo-web:demo-web-secret -d token=$ACCESS $URL/o/introspect/ → 200
curl -i -u demo-web:demo-web-secret -d grant_type=refresh_token -d refresh_token=$REFRESH $URL/o/token/ → 200 and the next pair
curl -i -u demo-web:demo-web-secret -d grant_type=refresh_token -d refresh_token=$REFRESH $URL/o/token/ → 400, and the grant has ended
curl -i -H "Authorization: Bearer $ACCESS" $URL/api/me → 401`},
	{Title: "Let a program in",
		Why: "A client that acts for itself is no user: it may do what a route allows machines.",
		Script: `
JOB=$(curl -s -u demo-job:demo-job-secret -d grant_type=client_credentials $URL/o/token/ | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
curl -i -H "Authorization: Bearer $JOB" $URL/api/me → 200
curl -i -u demo-job:demo-job-secret -d token=$JOB $URL/o/revoke_token/ → 200
curl -i -H "Authorization: Bearer $JOB" $URL/api/me → 401`},
	{Title: "Send something wrong",
		Why: "Absent, malformed, unknown and forged are told apart. Nothing bad becomes anonymous.",
		Script: `
curl -i $URL/api/public → 200, anonymous
curl -i -H 'Authorization: Token' $URL/api/public → 401
curl -i -H 'Authorization: Token a b' $URL/api/public → 401
curl -i -H 'Authorization: Bearer a b' $URL/api/public → 400
curl -i -H "Authorization: Token $(printf '\377')" $URL/api/public → 401
curl -i -H 'Authorization: Token a' -H 'Authorization: Token b' $URL/api/public → 400
curl -i -H 'Authorization: Digest a' $URL/api/me → 401
curl -i -H 'X-Username: alice' $URL/api/public → 200, anonymous`},
}
