-- works
CREATE TABLE a_table_with_a_name_that_is_about_forty_long (a_column_with_a_name_that_fills_all_the_sixty_three_bytes_of_it_ integer PRIMARY KEY,
    n integer NOT NULL CHECK (n > 0), u text);
INSERT INTO a_table_with_a_name_that_is_about_forty_long VALUES (1, 1, 'u');
