-- The folder that a package was found in: who looks into another folder does not take it for missing.
ALTER TABLE admiral.packages ADD COLUMN found_in text;
