-- works
-- own
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE t (id integer PRIMARY KEY) USING heap2;
INSERT INTO t VALUES (1);
