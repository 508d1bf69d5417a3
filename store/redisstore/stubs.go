package redisstore

const (
	sessionRecords kind = "st"
)
