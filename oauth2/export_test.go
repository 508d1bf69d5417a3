package oauth2

// ParseIntrospection is for the fuzz target.
var ParseIntrospection = parseIntrospection

// IsToken is isToken.
var IsToken = isToken
