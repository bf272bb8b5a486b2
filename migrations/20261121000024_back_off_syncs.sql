-- A sync that fails is tried again, each time later than the time before.
ALTER TABLE admiral.git_projects ADD COLUMN failures integer NOT NULL DEFAULT 0; -- since the last sync that worked
