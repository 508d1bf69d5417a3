package login

// For fuzz targets: what others write.
var (
	AppleName        = appleName
	UnverifiedIssuer = unverifiedIssuer
	DomainOf         = domainOf
)
