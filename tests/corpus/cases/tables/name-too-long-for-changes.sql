-- works
CREATE TABLE a_table_with_a_name_that_fills_all_of_the_sixty_three_bytes_now (id integer PRIMARY KEY);
INSERT INTO a_table_with_a_name_that_fills_all_of_the_sixty_three_bytes_now VALUES (1);
