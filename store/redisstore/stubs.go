package redisstore

const (
	sessionRecords kind = "st"
	oauthAccess    kind = "oa"
	oauthGrants    kind = "og"
	oauthClients   kind = "oc"
)
