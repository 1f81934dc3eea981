-- works
-- Bucardo cuts names; what tells these apart comes after the 60th byte.
CREATE TABLE the_same_beginning_of_sixty_bytes_and_then_an_end_of_its_own_01 (id integer PRIMARY KEY, v text);
CREATE TABLE the_same_beginning_of_sixty_bytes_and_then_an_end_of_its_own_02 (id integer PRIMARY KEY, v text);
CREATE INDEX the_same_beginning_of_sixty_bytes_and_then_an_end_of_an_index_1
    ON the_same_beginning_of_sixty_bytes_and_then_an_end_of_its_own_01 (v);
CREATE INDEX the_same_beginning_of_sixty_bytes_and_then_an_end_of_an_index_2
    ON the_same_beginning_of_sixty_bytes_and_then_an_end_of_its_own_01 (v);
INSERT INTO the_same_beginning_of_sixty_bytes_and_then_an_end_of_its_own_01 VALUES (1, 'a');
INSERT INTO the_same_beginning_of_sixty_bytes_and_then_an_end_of_its_own_02 VALUES (1, 'b');
