CREATE TABLE ships (name text);
INSERT INTO ships VALUES ('knarr'), ('karve');
