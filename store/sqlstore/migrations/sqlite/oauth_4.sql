-- Scopes are kept together with the resource that they are for, as a JSON array of
-- objects. It is NULL in rows that a program of before wrote. These have two lists.
ALTER TABLE {prefix}oauth_consents ADD COLUMN permissions TEXT;

ALTER TABLE {prefix}oauth_grants ADD COLUMN permissions TEXT;

-- What features of the server keep with a grant, as a JSON object. It is NULL if there is nothing.
ALTER TABLE {prefix}oauth_grants ADD COLUMN extra TEXT;
