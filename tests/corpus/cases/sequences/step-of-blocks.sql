-- warning: sequence-step
CREATE SEQUENCE customer_seq INCREMENT BY 50;
CREATE TABLE customer (id bigint PRIMARY KEY);
INSERT INTO customer VALUES (1);
