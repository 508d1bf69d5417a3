package oauth2

// ParseIntrospection is for the fuzz target.
var ParseIntrospection = parseIntrospection
