-- Methods are a JSON array from now on, because a name of a method may hold a space.
UPDATE {prefix}sessions SET amr = CASE WHEN amr = '' THEN '[]'
	ELSE '[' || replace(json_quote(amr), ' ', '","') || ']' END;
