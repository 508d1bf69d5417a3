package redisstore

const (
	oauthAccess  kind = "oa"
	oauthGrants  kind = "og"
	oauthClients kind = "oc"
)
