-- Methods are a JSON array from now on, because a name of a method may hold a space.
UPDATE {prefix}knox_tokens SET amr = CASE WHEN amr = '' THEN '[]'
	ELSE '[' || replace(json_quote(amr), ' ', '","') || ']' END;
