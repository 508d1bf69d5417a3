-- A refresh token of another system that was taken over is marked. Those of before have rotated = created of
-- their family.
ALTER TABLE {prefix}jwt_refresh ADD COLUMN adopted INTEGER NOT NULL DEFAULT 0;
