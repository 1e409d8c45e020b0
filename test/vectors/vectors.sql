-- The types that the vectors use beside PostgreSQL's own.
CREATE EXTENSION citext;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (x int4, y text);
CREATE TYPE lead AS (id uuid, name text, roi numeric, at timestamptz, open bool, mood mood);
CREATE TYPE textrange AS RANGE (subtype = text, collation = "C");
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
CREATE DOMAIN scores AS int4[];
