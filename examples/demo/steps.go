package main

// step is something to try: what it shows, and the lines to paste.
type step struct{ Title, Why, Lines string }

var steps = []step{
	{"Log in on two devices", "Each login makes a token of its own. Basic, JSON and form all work.", `
TOKEN='s/.*"token":"\([^"]*\)".*/\1/'
PHONE=$(curl -s -X POST -u alice:correct-horse-battery $URL/auth/login/ | sed "$TOKEN")
LAPTOP=$(curl -s $URL/auth/login/ -H 'Content-Type: application/json' -d '{"username":"alice","password":"correct-horse-battery","name":"laptop"}' | sed "$TOKEN")
echo $PHONE $LAPTOP`},
	{"Use them", "The scheme may be Token or Bearer, in any case.", `
curl -i -H "Authorization: Token $PHONE" $URL/api/me
curl -i -H "Authorization: bearer $LAPTOP" $URL/api/me`},
	{"See your devices", "The one you ask with is marked current.", `
curl -i -H "Authorization: Token $LAPTOP" $URL/auth/tokens/`},
	{"Log out of one", "The other stays. Log out everywhere, and none does.", `
curl -i -X POST -H "Authorization: Token $PHONE" $URL/auth/logout/
curl -i -H "Authorization: Token $PHONE" $URL/api/me
curl -i -H "Authorization: Token $LAPTOP" $URL/api/me
curl -i -X POST -H "Authorization: Token $LAPTOP" $URL/auth/logoutall/
curl -i -H "Authorization: Token $LAPTOP" $URL/api/me`},
	{"Make a token for a script", "It may read reports, for an hour, and nothing else.", `
SCRIPT=$(curl -s -u alice:correct-horse-battery $URL/auth/tokens/ -H 'Content-Type: application/json' -d '{"name":"script","scopes":["reports:read"],"expires_in":3600}' | sed "$TOKEN")
curl -i -H "Authorization: Bearer $SCRIPT" $URL/api/reports
curl -i -X POST -H "Authorization: Bearer $SCRIPT" $URL/api/reports`},
	{"Switch a user off", "A token dies with its user, at once. An inactive user cannot log in, and the answer does not tell why.", `
BOB=$(curl -s -u bob:staple-tractor-lamp -X POST $URL/auth/login/ | sed "$TOKEN")
curl -i -X POST -u admin:only-for-the-demo $URL/api/users/bob/disable
curl -i -H "Authorization: Token $BOB" $URL/api/me
curl -i -X POST -u admin:only-for-the-demo $URL/api/users/bob/enable
curl -i -X POST -u carol:closed-account-99 $URL/auth/login/`},
	{"Sign in as a browser does", "A cookie, not a token. A page of another site cannot use it, and after signing out nobody can.", `
JAR=$(mktemp)
curl -i -c $JAR -d username=alice -d password=correct-horse-battery -d next=/devices $URL/session/login
curl -i -b $JAR $URL/api/me
curl -i -b $JAR -H 'Sec-Fetch-Site: cross-site' -X POST $URL/api/reports
curl -i -b $JAR -c $JAR -X POST $URL/session/logout
curl -i -b $JAR $URL/api/me`},
	{"Take a pair of JWTs", "A short access token that other services can check by the published keys, and a refresh token for one use. Used twice, it ends the login.", `
PAIR=$(curl -s $URL/api/token/ -H 'Content-Type: application/json' -d '{"username":"alice","password":"correct-horse-battery"}')
ACCESS=$(echo "$PAIR" | sed 's/.*"access":"\([^"]*\)".*/\1/')
REFRESH=$(echo "$PAIR" | sed 's/.*"refresh":"\([^"]*\)".*/\1/')
curl -i -H "Authorization: Bearer $ACCESS" $URL/api/me
curl -i $URL/.well-known/jwks.json
curl -i -d "refresh=$REFRESH" $URL/api/token/refresh/
curl -i -d "refresh=$REFRESH" $URL/api/token/refresh/
curl -i -H "Authorization: Bearer $ACCESS" $URL/api/me`},
	{"Let an application in", "OAuth 2 with PKCE: the application sends the browser here, the user agrees, and a code comes back. Open the address in a browser instead of the second curl and see the page.", `
VERIFIER=$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')
CHALLENGE=$(printf %s $VERIFIER | openssl dgst -sha256 -binary | base64 | tr '+/' '-_' | tr -d '=\n')
AUTHORIZE="$URL/o/authorize/?response_type=code&client_id=demo-web&redirect_uri=http://127.0.0.1/callback&scope=openid+reports:read&state=xyz&code_challenge=$CHALLENGE&code_challenge_method=S256"
curl -s -c $JAR -d username=alice -d password=correct-horse-battery $URL/session/login
CONSENT=$(curl -s -b $JAR "$AUTHORIZE" | sed -n 's/.*name="interaction" value="\([^"]*\)".*/\1/p')
CODE=$(curl -s -i -b $JAR -d interaction=$CONSENT -d allow=Allow $URL/o/authorize/ | sed -n 's/.*[?&]code=\([^&]*\)&.*/\1/p')
echo $CODE`},
	{"Redeem the code", "Once. Used again, it ends what it gave.", `
REDEEM="-u demo-web:demo-web-secret -d grant_type=authorization_code -d redirect_uri=http://127.0.0.1/callback -d code_verifier=$VERIFIER -d code=$CODE"
GRANT=$(curl -s $REDEEM $URL/o/token/)
echo "$GRANT"
ACCESS=$(echo "$GRANT" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
REFRESH=$(echo "$GRANT" | sed 's/.*"refresh_token":"\([^"]*\)".*/\1/')
curl -i -H "Authorization: Bearer $ACCESS" $URL/api/me
curl -i -H "Authorization: Bearer $ACCESS" -X POST $URL/api/reports
curl -i -H "Authorization: Bearer $ACCESS" $URL/o/userinfo/
curl -i -u demo-web:demo-web-secret -d token=$ACCESS $URL/o/introspect/
curl -i -u demo-web:demo-web-secret -d grant_type=refresh_token -d refresh_token=$REFRESH $URL/o/token/
curl -i -u demo-web:demo-web-secret -d grant_type=refresh_token -d refresh_token=$REFRESH $URL/o/token/
curl -i -H "Authorization: Bearer $ACCESS" $URL/api/me`},
	{"Let a program in", "A client that acts for itself is no user: it may do what a route allows machines.", `
JOB=$(curl -s -u demo-job:demo-job-secret -d grant_type=client_credentials $URL/o/token/ | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
curl -i -H "Authorization: Bearer $JOB" $URL/api/me
curl -i -u demo-job:demo-job-secret -d token=$JOB $URL/o/revoke_token/
curl -i -H "Authorization: Bearer $JOB" $URL/api/me`},
	{"Send something wrong", "Absent, malformed, unknown and forged are told apart. Nothing bad becomes anonymous.", `
curl -i $URL/api/public
curl -i -H 'Authorization: Token' $URL/api/public
curl -i -H 'Authorization: Token a b' $URL/api/public
curl -i -H 'Authorization: Bearer a b' $URL/api/public
curl -i -H "Authorization: Token $(printf '\377')" $URL/api/public
curl -i -H 'Authorization: Token a' -H 'Authorization: Token b' $URL/api/public
curl -i -H 'Authorization: Digest a' $URL/api/me
curl -i -H 'X-Username: alice' $URL/api/public`},
}
