-- works
CREATE TABLE p (a integer, b integer, PRIMARY KEY (a, b));
CREATE TABLE c (id integer PRIMARY KEY, a integer, b integer,
    CONSTRAINT "c's key" FOREIGN KEY (a, b) REFERENCES p MATCH FULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE d (id integer PRIMARY KEY, a integer, b integer);
ALTER TABLE d ADD FOREIGN KEY (b, a) REFERENCES p (b, a) DEFERRABLE;
