-- The pages that wait for a user are counted, and the oldest go first.
CREATE INDEX {prefix}oauth_interactions_user ON {prefix}oauth_interactions (user_id, id);
